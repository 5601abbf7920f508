(() => {
  if (window.gpudeckExplorer) return;
  window.gpudeckExplorer = true;
  const LINE_GAP_PX = 22;
  const data = new WeakMap();

  function read(box) {
    if (!data.has(box)) data.set(box, JSON.parse(box.querySelector('script[type="application/json"]').textContent));
    return data.get(box);
  }

  function draw(box, state) {
    const x = state.x || read(box).x;
    const ends = [];
    box.querySelectorAll(".dk-lines polyline").forEach((line, k) => {
      const y = state.y[k];
      const points = x.map((px, i) => [px, y[i]]).filter((p) => p[1] !== null);
      line.setAttribute("points", points.map((p) => p.join(",")).join(" "));
      ends.push([points.length ? points[points.length - 1][1] : 0, k]);
    });
    const labels = box.querySelectorAll(".dk-lines text");
    ends.sort((a, b) => a[0] - b[0]);
    // push labels apart downwards, then keep the block centred on its lines
    const placed = ends.map((e) => e[0]);
    for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i], placed[i - 1] + LINE_GAP_PX);
    const shift = ends.length ? (placed[placed.length - 1] - ends[ends.length - 1][0]) / 2 : 0;
    ends.forEach((e, i) => labels[e[1]].setAttribute("y", placed[i] - shift + 6));
    box.querySelector(".dk-readout").textContent = state.readout;
  }

  function index(box) {
    return [...box.querySelectorAll("input")].reduce((at, input) => at * (+input.max + 1) + +input.value, 0);
  }

  /* ── the kernel, by Jupyter's public interfaces ── */
  let socket = null;
  const waiting = {};

  async function connect() {
    const element = document.getElementById("jupyter-config-data");
    const config = element ? JSON.parse(element.textContent) : {};
    const body = document.body.dataset;
    const base = config.baseUrl || body.baseUrl;
    if (!base) throw new Error("no kernel");
    const token = config.token || body.jupyterApiToken || new URLSearchParams(location.search).get("token") || "";
    const path = decodeURIComponent(config.notebookPath || body.notebookPath || location.pathname.split("/rise/")[1] || "").replace(/^\//, "");
    const headers = token ? { Authorization: "token " + token } : {};
    const sessions = await (await fetch(base + "api/sessions", { headers })).json();
    const session = sessions.find((s) => s.path === path) || (sessions.length === 1 && sessions[0]);
    if (!session) throw new Error("no kernel");
    const query = token ? "?token=" + encodeURIComponent(token) : "";
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + base + "api/kernels/" + session.kernel.id + "/channels" + query);
    socket.onmessage = (event) => {
      if (typeof event.data !== "string") return;
      const message = JSON.parse(event.data);
      const id = (message.parent_header || {}).msg_id;
      if (message.msg_type === "execute_reply" && waiting[id]) { waiting[id](message.content); delete waiting[id]; }
    };
    await new Promise((open, fail) => { socket.onopen = open; socket.onerror = () => fail(new Error("no kernel")); });
  }

  async function ask(expression) {
    if (!socket || socket.readyState !== 1) await connect();
    const id = "gpudeck" + Math.random().toString(36).slice(2);
    const header = { msg_id: id, msg_type: "execute_request", username: "", session: id, version: "5.3", date: new Date().toISOString() };
    const content = { code: "", silent: true, store_history: false, user_expressions: { state: expression }, allow_stdin: false, stop_on_error: false };
    return new Promise((resolve) => {
      waiting[id] = resolve;
      socket.send(JSON.stringify({ channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: [] }));
    });
  }

  const python = (value) => JSON.stringify(JSON.stringify(value));
  let busy = false, next = null;

  async function askState(box) {
    if (busy) { next = box; return; }
    busy = true;
    const own = read(box);
    const status = box.querySelector(".dk-state");
    const values = {};
    box.querySelectorAll("input").forEach((input) => { values[input.name] = JSON.parse(input.dataset.values)[+input.value]; });
    const start = performance.now();
    const late = setTimeout(() => { status.textContent = own.words.waiting; }, 300);
    try {
      const load = "__import__('json').loads";
      const call = `${own.call}(*${load}(${python(own.arguments)}),${load}(${python(values)}))`;
      const reply = (await ask(call)).user_expressions.state;
      if (reply.status !== "ok") throw new Error(reply.evalue);
      draw(box, reply.data["application/json"]);
      status.textContent = own.words.done.replace("{ms}", Math.round(performance.now() - start));
      box.dataset.kernel = "ok";
    } catch (error) {
      if (error.message !== "no kernel") { status.textContent = error.message; box.dataset.kernel = "error"; }
      else { draw(box, own.states[0]); reset(box); }
    }
    clearTimeout(late);
    busy = false;
    // the last move wins: states between are not asked for
    if (next) { const box2 = next; next = null; askState(box2); }
  }

  // without a kernel the sliders go back to the state that is shown
  function reset(box) {
    box.querySelectorAll("input").forEach((input) => { input.value = input.defaultValue; name(input); });
  }

  function name(input) {
    const word = JSON.parse(input.dataset.shown)[+input.value];
    input.nextElementSibling.textContent = word;
    input.setAttribute("aria-valuetext", word);
  }

  document.addEventListener("input", (event) => {
    const box = event.target.closest && event.target.closest(".dk-explorer");
    if (!box) return;
    name(event.target);
    if (box.classList.contains("dk-live")) askState(box);
    else draw(box, read(box).states[index(box)]);
  });

  // JupyterLab's shortcuts would take a slider's arrow keys; the browser itself still moves it
  window.addEventListener("keydown", (event) => {
    const inside = event.target.closest && event.target.closest(".dk-explorer");
    if (inside && /^(Arrow|Home|End)/.test(event.key)) event.stopPropagation();
  }, true);

  // a blank kernel imports and compiles at its first question: ask before the presenter does,
  // again while the kernel is not there yet
  const WARM_EVERY_MS = 1500, WARM_TRIES = 20;
  function warm(tries) {
    const cold = [...document.querySelectorAll(".dk-live")].find((box) => !box.dataset.kernel);
    const jupyter = document.getElementById("jupyter-config-data") || document.body.dataset.baseUrl;
    if (!cold || !jupyter || tries === 0) return;
    askState(cold);
    setTimeout(() => warm(tries - 1), WARM_EVERY_MS);
  }
  setTimeout(() => warm(WARM_TRIES), WARM_EVERY_MS);
})();
