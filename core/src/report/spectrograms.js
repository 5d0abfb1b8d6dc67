// SPDX-License-Identifier: MIT
// Spectrograms of device and model, and their difference in level, beside each other.
const level_stops = [[0, 0, 4], [30, 17, 72], [88, 22, 110], [150, 38, 103], [203, 62, 72], [237, 105, 37],
                     [251, 163, 28], [245, 219, 84], [252, 255, 200]]; // lightness rises evenly

function between(stops, share) {
  const at = clamp(share, 0, 1) * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((c, k) => c + (at - i) * (stops[i + 1][k] - c));
}
/// Blue below 0, orange above, for shares of the largest difference shown.
function difference_colour(share) {
  return between([[43, 108, 196], [126, 170, 222], [238, 238, 238], [240, 165, 90], [200, 80, 10]], 0.5 + 0.5 * share);
}

function mel(hz) { return 2595 * Math.log10(1 + hz / 700); }

/// An image of columns x rows cells; cell(i) gives the colour of the i-th, row by row from the top.
function cells_image(columns, rows, cell) {
  const canvas = element('canvas', { width: columns, height: rows });
  const context = canvas.getContext('2d'), image = context.createImageData(columns, rows);
  for (let i = 0; i < columns * rows; ++i) {
    const [r, g, b] = cell(i);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function spectrograms(box, part) {
  const { columns, rows, range_db } = part.spectrogram;
  const target = bytes_of(part.spectrogram.target), model = bytes_of(part.spectrogram.model);
  const level_db = byte => (byte / 255 - 1) * range_db;
  // Where both are 50 dB or more below the loudest the difference fades out: nobody hears it.
  const difference = i => (model[i] - target[i]) / 255 * range_db;
  const heard = i => clamp((level_db(Math.max(model[i], target[i])) + 70) / 20, 0, 1);
  const audible = Float32Array.from(target, (_, i) => difference(i) * heard(i));
  const usual_db = audible.map(Math.abs).sort()[Math.floor(0.995 * audible.length)];
  const most_db = [3, 6, 12].find(db => db >= usual_db) || 12;
  const level_palette = Array.from({ length: 256 }, (_, byte) => between(level_stops, byte / 255));
  const level_bar = share => between(level_stops, share);
  const levels = { bar: level_bar, low: '−' + range_db + ' dB', high: '0 dB' };
  const panels = [
    { name: 'Device', image: cells_image(columns, rows, i => level_palette[target[i]]), ...levels,
      text: i => level_db(target[i]).toFixed(0) + ' dB' },
    { name: 'Model', image: cells_image(columns, rows, i => level_palette[model[i]]), ...levels,
      text: i => level_db(model[i]).toFixed(0) + ' dB' },
    { name: 'Model less device', image: cells_image(columns, rows, i => difference_colour(audible[i] / most_db)),
      bar: share => difference_colour(2 * share - 1), low: `−${most_db} dB`,
      high: `louder: +${most_db} dB`, text: i => difference(i).toFixed(1) + ' dB' },
  ];
  for (const panel of panels) {
    const canvas = element('canvas', { role: 'img', 'aria-label': `Spectrogram, ${panel.name}, 0 to ` +
      `${hz_text(part.spectrogram.highest_hz)} over ${seconds_text(part.samples / rate)}` });
    const readout = element('span', { class: 'readout' });
    const figure_box = element('figure', {}, element('figcaption', {}, panel.name, readout), canvas);
    box.append(figure_box);
    draw_with(figure_box, () => draw_spectrogram(canvas, figure_box.clientWidth, part, panel));
    canvas.addEventListener('pointermove', event => read_cell(event, canvas, part, panel, readout));
    canvas.addEventListener('pointerleave', () => { readout.textContent = ''; });
  }
}

const spectrogram_frame = { left: 34, right: 8, top: 4, height: 220 };

function draw_spectrogram(canvas, width, part, panel) {
  if (!(width > 80)) return;
  const { left, top, height } = spectrogram_frame, right = width - spectrogram_frame.right;
  const context = prepared(canvas, width, height + 58);
  context.imageSmoothingQuality = 'high';
  context.drawImage(panel.image, left, top, right - left, height);
  context.fillStyle = context.strokeStyle = colour('quiet');
  const highest = part.spectrogram.highest_hz;
  context.textAlign = 'right';
  let last_y = Infinity;
  for (const hz of [100, 500, 1000, 2000, 5000, 10000, 20000, 40000]) {
    const y = top + height * (1 - mel(hz) / mel(highest));
    if (hz > highest || last_y - y < 13) continue;
    context.fillRect(left - 4, y, 4, 1);
    context.fillText(hz >= 1000 ? hz / 1000 + 'k' : String(hz), left - 6, y + 4);
    last_y = y;
  }
  context.textAlign = 'center';
  const end = part.samples / rate, times = ticks(0, end, width / 90);
  for (const s of times) {
    const x = left + s / end * (right - left);
    context.fillRect(x, top + height, 1, 4);
    const label = s.toFixed(decimals_between(times)) + (s === 0 ? ' s' : '');
    context.fillText(label, Math.min(x, right - 8), top + height + 17);
  }
  draw_bar(context, panel, left, right, top + height + 28);
}

function draw_bar(context, panel, left, right, y) {
  for (let x = left; x < right; ++x) {
    context.fillStyle = `rgb(${panel.bar((x - left) / (right - left - 1)).map(Math.round)})`;
    context.fillRect(x, y, 1.5, 8);
  }
  context.fillStyle = colour('quiet');
  context.textAlign = 'left';
  context.fillText(panel.low, left, y + 22);
  context.textAlign = 'right';
  context.fillText(panel.high, right, y + 22);
}

function read_cell(event, canvas, part, panel, readout) {
  const bounds = canvas.getBoundingClientRect(), frame = spectrogram_frame;
  const across = (event.clientX - bounds.left - frame.left) / (bounds.width - frame.left - frame.right);
  const down = (event.clientY - bounds.top - frame.top) / frame.height;
  if (!(across >= 0 && across < 1 && down >= 0 && down < 1)) return;
  const { columns, rows, highest_hz } = part.spectrogram;
  const hz = 700 * (10 ** ((1 - down) * mel(highest_hz) / 2595) - 1);
  const cell = Math.floor(down * rows) * columns + Math.floor(across * columns);
  readout.textContent = `${seconds_text(across * part.samples / rate)}, ${hz_text(hz)}: ${panel.text(cell)}`;
}
