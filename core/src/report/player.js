// SPDX-License-Identifier: MIT
// Dry, device and model from one playhead: all three always run, and a switch only moves their gains.
const audio = { context: null, active: null }; // one at a time plays

class Player {
  constructor(box, part) {
    this.part = part;
    this.box = box;
    this.position = 0; // seconds into the clip while stopped
    this.choice = 'target';
    this.build(box);
    clips_of(part).then(clips => clips.length ? this.ready(clips[0]) : this.give_up());
  }

  build(box) {
    this.play_button = element('button', { type: 'button', class: 'play', disabled: true,
                                           onclick: () => this.toggle() }, 'Play');
    this.choices = new Map([['dry', 'Dry'], ['target', 'Device'], ['model', 'Model']].map(([name, text], i) =>
      [name, element('button', { type: 'button', class: 'choice ' + name, 'aria-pressed': 'false',
                                onclick: () => this.choose(name) },
                     text, element('kbd', { 'aria-hidden': 'true' }, String(i + 1)))]));
    this.seek_bar = element('input', { type: 'range', min: 0, max: 1, step: 0.001, value: 0, 'aria-label': 'Position',
                                       oninput: () => this.seek(this.seek_bar.value * this.length_s) });
    this.clock = element('output', { class: 'clock' }, '0.0 s');
    this.match_box = element('input', { type: 'checkbox', checked: true, onchange: () => this.set_gains() });
    this.loop_box = element('input', { type: 'checkbox', checked: true, onchange: () => this.restart() });
    this.where = element('p', { class: 'hint' }, 'Decoding…');
    this.abx = new BlindTest(this);
    box.append(
      element('div', { class: 'controls', role: 'group', 'aria-label': 'Player' },
              this.play_button, ...this.choices.values(), this.seek_bar, this.clock),
      element('div', { class: 'controls' }, element('label', {}, this.match_box, 'dry as loud as the device'),
              element('label', {}, this.loop_box, 'loop'), this.abx.start_button),
      this.abx.panel, this.where);
    this.choose('target');
    for (const name of ['pointerdown', 'focusin']) box.addEventListener(name, () => { audio.active = this; });
    if (!audio.active) audio.active = this;
  }

  ready(clip) {
    this.clip = clip;
    this.length_s = clip.length / rate;
    const level = samples => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    const peak = samples => samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    this.match = level(clip.dry) > 0 && level(clip.target) > 0 ? level(clip.target) / level(clip.dry) : 1;
    this.peaks = { dry: peak(clip.dry), wet: Math.max(peak(clip.target), peak(clip.model)) };
    this.play_button.disabled = false;
    this.where.textContent = `${seconds_text(this.length_s, 1)} from ${seconds_text(clip.first / rate, 1)} on, ` +
      'the liveliest of this part. Keys: space plays, 1 dry, 2 device, 3 model.';
  }

  give_up() {
    this.where.textContent =
      'This browser cannot decode the sound (FLAC) in this page; a current Firefox, Chrome or Safari can.';
    this.abx.start_button.disabled = true;
  }

  toggle() { this.sources ? this.stop() : this.start(); }

  start() {
    if (!this.clip) return;
    if (audio.playing && audio.playing !== this) audio.playing.stop();
    audio.playing = audio.active = this;
    const context = audio.context ||= new AudioContext();
    context.resume();
    this.buffers ||= this.make_buffers(context);
    this.gains = {};
    this.sources = [...this.choices.keys()].map(name => {
      const source = new AudioBufferSourceNode(context, { buffer: this.buffers[name], loop: this.loop_box.checked });
      this.gains[name] = new GainNode(context, { gain: this.gain_of(name) });
      source.connect(this.gains[name]).connect(context.destination);
      return source;
    });
    if (this.position >= this.length_s - 0.01) this.position = 0;
    this.begun = context.currentTime + 0.02; // ahead, so that all three begin on one sample
    for (const source of this.sources) source.start(this.begun, this.position);
    this.sources[0].onended = () => { if (!this.loop_box.checked) { this.stop(); this.seek(0); } };
    this.play_button.textContent = 'Pause';
    this.tick();
  }

  stop() {
    if (!this.sources) return;
    this.position = this.now();
    this.sources[0].onended = null;
    for (const source of this.sources) source.stop();
    this.sources = null;
    audio.playing = null;
    this.play_button.textContent = 'Play';
  }

  restart() {
    if (!this.sources) return;
    this.stop();
    this.start();
  }

  make_buffers(context) {
    const buffers = {};
    for (const name of this.choices.keys()) {
      buffers[name] = new AudioBuffer({ length: this.clip.length, sampleRate: rate, numberOfChannels: 1 });
      buffers[name].copyToChannel(this.clip[name], 0);
    }
    return buffers;
  }

  now() {
    if (!this.sources) return this.position;
    const at = this.position + Math.max(0, audio.context.currentTime - this.begun);
    return this.loop_box.checked ? at % this.length_s : Math.min(at, this.length_s);
  }

  seek(seconds) {
    const playing = Boolean(this.sources);
    this.stop();
    this.position = clamp(seconds, 0, this.length_s || 0);
    if (playing) this.start();
    this.show_position();
  }

  choose(name) {
    this.choice = name;
    for (const [key, button] of this.choices)
      button.setAttribute('aria-pressed', String(key === name && !this.abx.running));
    this.set_gains();
  }

  /// Everything as loud as in the recording, unless that would clip: then all of it softer.
  gain_of(name) {
    if (name !== this.choice) return 0;
    const dry = this.match_box.checked ? this.match : 1;
    return (name === 'dry' ? dry : 1) / Math.max(1, this.peaks.wet, this.peaks.dry * dry);
  }

  set_gains() {
    if (!this.sources) return;
    for (const [name, node] of Object.entries(this.gains))
      node.gain.setTargetAtTime(this.gain_of(name), audio.context.currentTime, 0.003);
  }

  show_position() {
    this.clock.textContent = seconds_text(this.now(), 1);
    this.seek_bar.value = this.length_s ? this.now() / this.length_s : 0;
  }

  tick() {
    this.show_position();
    if (this.sources) requestAnimationFrame(() => this.tick());
  }
}

function listen_for_keys() {
  document.addEventListener('keydown', event => {
    const player = audio.active;
    const typing = event.target.closest && event.target.closest('input[type=text], textarea, select');
    if (!player || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const choice = { 1: 'dry', 2: 'target', 3: 'model' }[event.key];
    if (choice && !player.abx.running) player.choose(choice);
    else if (event.key === ' ' && !(event.target.closest && event.target.closest('button, input, a'))) player.toggle();
    else return;
    event.preventDefault();
  });
}
