// the deck is ready when reveal.js has laid it out and the fonts are there
Reveal.initialize({
  width: 1280, height: 720, margin: 0, minScale: 0.1, maxScale: 8, center: false,
  hash: true, hashOneBasedIndex: true, slideNumber: false, controls: false, progress: false,
  transition: 'none', backgroundTransition: 'none',
  pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1,
  plugins: [RevealNotes],
}).then(() => document.fonts.ready).then(() => {
  document.documentElement.dataset.deckReady = '1';
});
