// SPDX-License-Identifier: MIT
// How a Waveform looks.
Object.assign(Waveform.prototype, {
  left: 50,

  draw() {
    this.width = this.canvas.parentElement.clientWidth;
    if (!(this.width > 120)) return;
    const height = 400;
    this.strip = { top: 352, bottom: 396 };
    const context = prepared(this.canvas, this.width, height);
    this.draw_time_axis(context, { top: 4, bottom: 326 });
    this.draw_pane(context, { top: 4, bottom: 206 }, [['target', 5], ['model', 1.4]]);
    this.draw_pane(context, { top: 222, bottom: 326 }, [['error', 1.5]]);
    this.draw_strip(context);
    const exact = this.clip_around(Math.floor(this.start), Math.ceil(this.end));
    this.readout.textContent = `${seconds_text(this.start / rate, 3)} to ${seconds_text(this.end / rate, 3)}` +
                               (exact ? ', every sample' : '');
  },

  draw_time_axis(context, { top, bottom }) {
    const times = ticks(this.start / rate, this.end / rate, this.frame_width() / 85), digits = decimals_between(times);
    context.textAlign = 'center';
    for (const s of times) {
      const x = this.left + (s * rate - this.start) / (this.end - this.start) * this.frame_width();
      context.fillStyle = colour('grid');
      context.fillRect(x, top, 1, bottom - top);
      context.fillStyle = colour('quiet');
      context.fillText(seconds_text(s, digits), clamp(x, this.left + 20, this.width - 24), bottom + 16);
    }
  },

  draw_pane(context, { top, bottom }, traces) {
    const columns = Math.max(1, Math.floor(this.frame_width()));
    const drawn = traces.map(([name, thickness]) =>
      ({ name, thickness, extent: this.extent(name, this.start, this.end, columns) }));
    let lowest = 0, highest = 1e-9;
    for (const [low, high] of drawn.flatMap(trace => trace.extent)) {
      lowest = Math.min(lowest, low);
      highest = Math.max(highest, high);
    }
    const y = value => bottom - 4 - (value - lowest) / (highest - lowest) * (bottom - top - 8);

    context.textAlign = 'right';
    for (const value of ticks(lowest, highest, bottom - top > 150 ? 5 : 3)) {
      context.fillStyle = colour('grid');
      context.fillRect(this.left, y(value), this.frame_width(), 1);
      context.fillStyle = colour('quiet');
      context.fillText(figure(value, 2), this.left - 6, y(value) + 4);
    }
    context.save();
    context.beginPath();
    context.rect(this.left, top, this.frame_width(), bottom - top);
    context.clip();
    for (const trace of drawn) this.draw_trace(context, trace, y);
    context.restore();
  },

  /// Sample by sample where there is room, as a band from lowest to highest else, of the model only the outline.
  draw_trace(context, { name, thickness, extent }, y) {
    const first = Math.floor(this.start), last = Math.min(Math.ceil(this.end) + 1, this.part.samples);
    const per_pixel = (this.end - this.start) / this.frame_width();
    const samples = per_pixel < 4 ? this.samples_of(name, first, last) : undefined;
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = thickness;
    context.lineJoin = 'round';
    context.beginPath();
    if (samples) {
      samples.forEach((value, i) => context.lineTo(this.left + (first + i - this.start) / per_pixel, y(value)));
      context.globalAlpha = name === 'target' ? 0.65 : 1;
      context.stroke();
    } else {
      extent.forEach(([, high], column) => context.lineTo(this.left + column, y(high) - 0.5));
      for (let column = extent.length - 1; column >= 0; --column)
        context.lineTo(this.left + column, y(extent[column][0]) + 0.5);
      context.closePath();
      context.lineWidth = 1;
      if (name === 'model') context.stroke();
      else context.fill();
    }
    context.globalAlpha = 1;
  },

  draw_strip(context) {
    const { top, bottom } = this.strip, { samples } = this.part;
    const columns = Math.max(1, Math.floor(this.frame_width()));
    const x = at => this.left + at / samples * this.frame_width();
    context.fillStyle = colour('shade');
    for (const clip of this.clips) context.fillRect(x(clip.first), top, x(clip.length) - this.left, bottom - top);
    for (const name of ['target', 'error']) {
      const extent = this.extent(name, 0, samples, columns);
      const most = Math.max(1e-9, ...this.extent('target', 0, samples, columns).flat().map(Math.abs));
      context.fillStyle = colour(name);
      extent.forEach(([low, high], column) => {
        const middle = (top + bottom) / 2, half = (bottom - top) / 2 / most;
        context.fillRect(this.left + column, middle - high * half, 1, Math.max(1, (high - low) * half));
      });
    }
    context.strokeStyle = colour('text');
    context.lineWidth = 1.5;
    context.strokeRect(x(this.start) - 1, top, Math.max(3, x(this.end - this.start) - this.left + 2), bottom - top);
  },
});
