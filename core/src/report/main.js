// SPDX-License-Identifier: MIT
// Puts everything in its place. A drawing that fails must not take the rest of the page with it.
function attempt(box, draw) {
  try {
    draw();
  } catch (problem) {
    console.error(problem);
    box.append(element('p', { class: 'hint' }, 'This could not be drawn: ' + problem.message));
  }
}

function redraw_all() { for (const redraw of redraws) redraw(); }

const training = document.querySelector('[data-chart=curve]');
if (report.curve.length) attempt(training, () => training_chart(training));

for (const section of document.querySelectorAll('[data-part]')) {
  const part = report.parts[Number(section.dataset.part)];
  if (!part || !part.samples) continue;
  const fill = (selector, draw) => {
    const box = section.querySelector(selector);
    attempt(box, () => draw(box, part));
  };
  fill('.player', (box, p) => new Player(box, p));
  fill('.waveform', (box, p) => new Waveform(box, p));
  fill('.spectrograms', spectrograms);
  fill('[data-chart=envelope]', envelope_chart);
}
listen_for_keys();

// Canvases hold pixels, not styles.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw_all);
for (const [name, printing] of [['beforeprint', true], ['afterprint', false]]) {
  addEventListener(name, () => {
    document.documentElement.classList.toggle('printing', printing);
    redraw_all();
  });
}
