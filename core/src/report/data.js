// SPDX-License-Identifier: MIT
// The report's data, and small helpers for all of the page.
const report = JSON.parse(document.getElementById('data').textContent);
const rate = report.sample_rate;

function bytes_of(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/// A decoded clip of sound as { first, length, target, model, dry }, Float32Arrays in the units of the recording.
async function decoded_clip(clip) {
  const context = new OfflineAudioContext(1, 1, rate); // of the file's own rate, so that nothing is resampled
  const result = { first: clip.first, length: clip.length };
  for (const name of ['dry', 'target', 'model']) {
    if (!clip[name]) continue;
    const sound = await context.decodeAudioData(bytes_of(clip[name].file).buffer);
    result[name] = sound.getChannelData(0).map(x => x / clip[name].scale);
  }
  return result;
}

/// Clips are decoded once, when first asked for; a browser that cannot gives an empty list.
const decoded = new Map();
function clips_of(part) {
  if (!decoded.has(part))
    decoded.set(part, Promise.all(part.clips.map(decoded_clip)).catch(() => []));
  return decoded.get(part);
}

const svg_names = ['svg', 'g', 'path', 'line', 'text', 'circle', 'rect'];
const svg_namespace = document.createRange().createContextualFragment('<svg></svg>').firstChild.namespaceURI;

/// element('button', { class: 'a', onclick: f }, 'text', child...)
function element(name, attributes = {}, ...children) {
  const node = svg_names.includes(name) ? document.createElementNS(svg_namespace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

function clamp(x, low, high) { return Math.min(Math.max(x, low), high); }

/// A number with as many digits as help to read it.
function figure(x, digits = 3) {
  if (x === null || !Number.isFinite(x)) return '–';
  if (x !== 0 && (Math.abs(x) < 1e-6 || Math.abs(x) >= 1e6)) return x.toExponential(digits - 1);
  return String(Number(x.toPrecision(digits)));
}

function seconds_text(s, digits = 2) {
  if (s < 60) return s.toFixed(digits) + ' s';
  return Math.floor(s / 60) + ':' + (s % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
}

function hz_text(hz) { return hz >= 1000 ? figure(hz / 1000) + ' kHz' : Math.round(hz) + ' Hz'; }

/// Round values inside [low, high], about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(m => m * power >= rough * 0.999);
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) result.push(i * step);
  return result;
}

function decimals_between(values) {
  return values.length < 2 ? 2 : clamp(-Math.floor(Math.log10(values[1] - values[0]) + 1e-9), 0, 6);
}

/// A colour of the style sheet, as it is now (light, dark or print).
function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim(); }

/// Drawings that must be made anew when their box or the colours change.
const redraws = [];
function draw_with(box, draw) {
  redraws.push(draw);
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width || box.clientWidth === 0) return;
    width = box.clientWidth;
    draw();
  }).observe(box);
  draw();
}

/// A canvas sized for the screen's pixels; gives its 2D context with units of CSS pixels.
function prepared(canvas, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.height = height + 'px';
  const context = canvas.getContext('2d');
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '12px system-ui, sans-serif';
  return context;
}
