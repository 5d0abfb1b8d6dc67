// SPDX-License-Identifier: MIT
// Device and model drawn over each other, their difference below, and the whole part as a strip to find one's way.
// Far out it draws the stored peaks; inside the clips it has every sample.
class Waveform {
  constructor(box, part) {
    this.part = part;
    this.clips = [];
    const worst = part.worst, context_s = 0.02;
    const margin = Math.round(context_s * rate);
    this.home = [worst.first - margin, worst.first + worst.length + margin];
    this.peaks = {};
    for (const name of ['target', 'model', 'error']) {
      const stored = new DataView(bytes_of(part.peaks[name].bytes).buffer), unit = part.peaks[name].unit;
      const value = (_, i) => stored.getInt16(2 * i, true) * unit;
      this.peaks[name] = Float32Array.from({ length: stored.byteLength / 2 }, value);
    }
    this.build(box);
    this.show(...this.home);
    draw_with(this.canvas.parentElement, () => this.draw());
    clips_of(part).then(clips => { this.clips = clips; this.draw(); });
  }

  build(box) {
    this.canvas = element('canvas', { tabindex: 0, role: 'img', 'aria-label':
      'Waveform of device and model, their difference below. ' +
      'Arrow keys move, plus and minus zoom, Home shows the whole part.' });
    this.readout = element('p', { class: 'readout', 'aria-live': 'polite' });
    const button = (text, label, action) => element('button', { type: 'button', 'aria-label': label, title: label,
                                                                onclick: () => { action(); this.draw(); } }, text);
    box.append(
      element('div', { class: 'legend', 'aria-hidden': 'true' },
              element('span', { class: 'key target' }, element('i'), 'device'),
              element('span', { class: 'key model' }, element('i'), 'model'),
              element('span', { class: 'key error' }, element('i'), 'model less device')),
      element('div', { class: 'plot' }, this.canvas),
      element('div', { class: 'controls' },
              button('Largest error', 'Show where the error is largest', () => this.show(...this.home)),
              button('Everything', 'Show the whole part', () => this.show(0, this.part.samples)),
              button('◀', 'Earlier', () => this.pan(-0.5)), button('▶', 'Later', () => this.pan(0.5)),
              button('+', 'Zoom in', () => this.zoom(0.5)), button('−', 'Zoom out', () => this.zoom(2)),
              this.readout),
      element('p', { class: 'hint' }, 'Drag to move; click and turn the wheel (or pinch) to zoom. ' +
              'The strip at the bottom is the whole part; every sample is kept in its shaded stretches, elsewhere ' +
              `the extent of each ${this.part.window} samples.`));
    this.listen();
  }

  listen() {
    const { canvas } = this;
    let grip = null;
    canvas.addEventListener('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId);
      if (event.offsetY > this.strip.top) this.jump(event.offsetX);
      grip = { x: event.offsetX, start: this.start, strip: event.offsetY > this.strip.top };
    });
    canvas.addEventListener('pointermove', event => {
      if (!grip) return;
      if (grip.strip) return this.jump(event.offsetX);
      const length = this.end - this.start, start = grip.start - (event.offsetX - grip.x) / this.frame_width() * length;
      this.show(start, start + length);
      this.draw();
    });
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { grip = null; });
    canvas.addEventListener('wheel', event => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -100, 100) * 0.004), (event.offsetX - this.left) / this.frame_width());
      this.draw();
    }, { passive: false });
    canvas.addEventListener('keydown', event => {
      const action = { ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2), '+': () => this.zoom(0.6),
                       '=': () => this.zoom(0.6), '-': () => this.zoom(1 / 0.6),
                       Home: () => this.show(0, this.part.samples) }[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action();
      this.draw();
    });
  }

  /// Shows [start, end) in samples, moved into the part and kept to a length that can be drawn.
  show(start, end) {
    const samples = this.part.samples, length = clamp(end - start, Math.min(48, samples), samples);
    const middle = (start + end) / 2;
    this.start = clamp(middle - length / 2, 0, samples - length);
    this.end = this.start + length;
  }
  pan(share) {
    const by = share * (this.end - this.start);
    this.show(this.start + by, this.end + by);
  }
  zoom(factor, around = 0.5) {
    const length = this.end - this.start, fixed = this.start + around * length;
    this.show(fixed - around * length * factor, fixed + (1 - around) * length * factor);
  }
  jump(x) {
    const middle = (x - this.left) / this.frame_width() * this.part.samples, half = (this.end - this.start) / 2;
    this.show(middle - half, middle + half);
    this.draw();
  }

  frame_width() { return this.width - this.left - 8; }

  clip_around(start, end) {
    return this.clips.find(clip => start >= clip.first && end <= clip.first + clip.length);
  }

  /// Every sample of [start, end), or undefined where there are only peaks.
  samples_of(name, start, end) {
    const clip = this.clip_around(start, end);
    if (!clip) return undefined;
    if (name !== 'error') return clip[name].subarray(start - clip.first, end - clip.first);
    const model = this.samples_of('model', start, end);
    return this.samples_of('target', start, end).map((x, i) => model[i] - x);
  }

  /// [lowest, highest] for each of `columns` pixels over [start, end).
  extent(name, start, end, columns) {
    const { window } = this.part, per_column = (end - start) / columns;
    const exact = per_column < 4 * window &&
                  this.samples_of(name, Math.floor(start), Math.min(Math.ceil(end), this.part.samples));
    const from = exact ? Math.floor(start) : 0, peaks = this.peaks[name], result = [];
    for (let column = 0; column < columns; ++column) {
      const a = start + column * per_column, b = a + per_column;
      let low = Infinity, high = -Infinity;
      if (exact) {
        for (let i = Math.floor(a) - from; i <= Math.ceil(b) - from && i < exact.length; ++i) {
          low = Math.min(low, exact[i]);
          high = Math.max(high, exact[i]);
        }
      } else {
        const last = Math.min(Math.max(Math.ceil(b / window), Math.floor(a / window) + 1), peaks.length / 2);
        for (let i = Math.floor(a / window); i < last; ++i) {
          low = Math.min(low, peaks[2 * i]);
          high = Math.max(high, peaks[2 * i + 1]);
        }
      }
      result.push([low, high]);
    }
    return result;
  }
}
