// Visits every slide of an exported deck and returns what breaks a page criterion, in canvas pixels.
async () => {
  const WIDTH = 1280, HEIGHT = 720, SLACK = 1;
  const faults = [];
  let key = '';
  const fault = (message) => faults.push([key, message]);
  const quote = (text) => `“${text.trim().slice(0, 24)}”`;
  const frame = () => new Promise((done) => requestAnimationFrame(() => done()));

  // one box for each line of text: where its ink is, not its line height
  function textBoxes(slide, origin, scale) {
    const boxes = [];
    const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!node.data.trim() || parent.closest('script,style,title,desc,aside.notes')) continue;
      const style = getComputedStyle(parent);
      if (style.visibility === 'hidden' || style.display === 'none') continue;
      const svg = parent.closest('svg');
      let size = parseFloat(style.fontSize);
      if (svg) {
        const matrix = parent.getScreenCTM();
        size *= Math.hypot(matrix.a, matrix.b) / scale;
      }
      const range = document.createRange();
      range.selectNodeContents(node);
      const clip = style.textOverflow === 'ellipsis' ? parent.getBoundingClientRect() : null;
      for (const rect of range.getClientRects()) {
        const box = {
          text: node.data, parent, svg, size,
          left: (rect.left - origin.left) / scale, right: (rect.right - origin.left) / scale,
          top: (rect.top - origin.top) / scale, bottom: (rect.bottom - origin.top) / scale,
        };
        if (clip) box.right = Math.min(box.right, (clip.right - origin.left) / scale);
        const upright = box.bottom - box.top <= 1.7 * size || box.right - box.left > size * 1.7;
        const [low, high] = upright ? ['top', 'bottom'] : ['left', 'right'];
        const middle = (box[low] + box[high]) / 2;
        box[low] = middle - 0.36 * size;
        box[high] = middle + 0.36 * size;
        if (box.right - box.left > 0.5) boxes.push(box);
      }
    }
    return boxes;
  }

  function judgeSize({text, parent, svg, size}, cover) {
    const rules = [
      ['h2', 36, 40], ['.dk-words .dk-lead, .dk-words li', 24, 30], ['.dk-source', 14, 16],
      ['.dk-evidence', 16, 40], ['*', 14, 64],
    ];
    if (parent.closest('.dk-small, sub, sup') || (cover && !parent.closest('footer'))) return;
    const [, low, high] = rules.find(([selector]) => parent.closest(selector));
    if (size < low - 0.05 || size > high + 0.05)
      fault(`${svg ? 'figure ' : ''}text ${quote(text)} is ${size.toFixed(1)} px; allowed are ${low}–${high}`);
  }

  function judgePlace(box, origin, scale) {
    const out = Math.max(-box.left, -box.top, box.right - WIDTH, box.bottom - HEIGHT);
    if (out > SLACK) fault(`text ${quote(box.text)} leaves the slide by ${out.toFixed(0)} px`);
    if (!box.svg) return;
    const edge = box.svg.getBoundingClientRect();
    const beyond = Math.max(
      (edge.left - origin.left) / scale - box.left, box.right - (edge.right - origin.left) / scale,
      (edge.top - origin.top) / scale - box.top, box.bottom - (edge.bottom - origin.top) / scale);
    if (beyond > SLACK) fault(`text ${quote(box.text)} leaves its figure by ${beyond.toFixed(0)} px`);
  }

  function judgeOverlaps(boxes) {
    for (let i = 0; i < boxes.length; i++)
      for (let j = i + 1; j < boxes.length; j++) {
        const a = boxes[i], b = boxes[j];
        const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // the same words twice at one place are a letter's halo
        const halo = a.text === b.text && Math.abs(a.left - b.left) < 1;
        if (x > 3 && y > 3 && !halo)
          fault(`text ${quote(a.text)} and ${quote(b.text)} overlap by ${x.toFixed(0)} × ${y.toFixed(0)} px`);
      }
  }

  function judgeHeadline(slide, boxes) {
    const lines = new Map();
    for (const box of boxes.filter(({parent}) => parent.closest('h2'))) {
      const line = Math.round(box.top / 12);
      const [left, right] = lines.get(line) ?? [Infinity, 0];
      lines.set(line, [Math.min(left, box.left), Math.max(right, box.right)]);
    }
    const [left, right] = [...lines.values()].pop() ?? [0, WIDTH];
    if (lines.size === 0) fault('has no headline');
    if (lines.size > 2) fault(`headline takes ${lines.size} lines; allowed are 2`);
    if (lines.size > 1 && right - left < 54) fault('headline ends with a single character on its last line');
  }

  function judgeEvidence(slide, origin, scale) {
    const room = slide.querySelector('.dk-evidence')?.getBoundingClientRect();
    if (!room) return;
    for (const piece of slide.querySelectorAll('.dk-evidence > figure > *')) {
      const rect = piece.getBoundingClientRect();
      const over = Math.max(rect.bottom - room.bottom, rect.right - room.right) / scale;
      if (over > SLACK) fault(`evidence is ${over.toFixed(0)} px larger than its room`);
    }
    for (const svg of slide.querySelectorAll('.dk-evidence svg:not([aria-hidden=true])')) {
      const ids = svg.getAttribute('aria-labelledby')?.split(' ') ?? [];
      const named = svg.getAttribute('aria-label') ||
        (ids.length && ids.every((id) => document.getElementById(id)?.textContent.trim()));
      if (svg.getAttribute('role') !== 'img' || !named) fault('a figure has no alternative text');
      const drawn = svg.viewBox.baseVal?.width;
      const shown = svg.getBoundingClientRect().width / scale;
      if (drawn && Math.abs(shown / drawn - 1) > 0.01)
        fault(`a figure drawn ${drawn.toFixed(0)} px wide is scaled to ${shown.toFixed(0)} px`);
    }
  }

  const sections = Reveal.getSlides();
  for (const section of sections) {
    const {h, v} = Reveal.getIndices(section);
    Reveal.slide(h, v);
    await frame();
    const slides = section.querySelectorAll('.dk');
    key = slides[0]?.id ?? `section ${h + 1}/${(v ?? 0) + 1}`;
    if (slides.length !== 1) { fault(`holds ${slides.length} pages; allowed is 1`); continue; }
    const [slide] = slides;
    const origin = slide.getBoundingClientRect();
    const scale = origin.width / WIDTH;
    const [wide, high] = [slide.scrollWidth - slide.clientWidth, slide.scrollHeight - slide.clientHeight];
    if (wide > SLACK || high > SLACK) fault(`overflows its canvas by ${wide} × ${high} px`);
    const boxes = textBoxes(slide, origin, scale);
    boxes.forEach((box) => judgePlace(box, origin, scale));
    const cover = slide.classList.contains('dk-cover');
    const judged = new Set();
    for (const box of boxes) {
      if (!judged.has(box.parent)) judgeSize(box, cover);
      judged.add(box.parent);
    }
    judgeOverlaps(boxes);
    if (!cover) judgeHeadline(slide, boxes);
    judgeEvidence(slide, origin, scale);
  }
  return {slides: sections.length, faults};
}
