// SPDX-License-Identifier: MIT
// ABX: is X the device or the model? Guessing is right half of the time; the page says how likely a score is by luck.
class BlindTest {
  constructor(player) {
    this.player = player;
    this.running = false;
    this.right = this.asked = 0;
    const button = (text, action) => element('button', { type: 'button', onclick: action }, text);
    this.start_button = button('Blind test', () => this.running ? this.end() : this.begin());
    this.result = element('p', { 'aria-live': 'polite' });
    this.panel = element('div', { class: 'blind', hidden: true },
      element('p', {}, 'X is the device or the model, drawn anew each time. Compare as long as you like, then decide.'),
      element('div', { class: 'controls' }, button('Hear X', () => this.hear(this.x)),
              button('Hear device', () => this.hear('target')), button('Hear model', () => this.hear('model')),
              button('X is the device', () => this.answer('target')),
              button('X is the model', () => this.answer('model'))),
      this.result);
  }

  begin() {
    this.running = true;
    this.right = this.asked = 0;
    this.start_button.textContent = 'End blind test';
    this.panel.hidden = false;
    this.result.textContent = 'Sixteen answers tell a good deal.';
    this.draw_x();
  }

  end() {
    this.running = false;
    this.panel.hidden = true;
    this.start_button.textContent = 'Blind test';
    this.player.choose('target');
  }

  draw_x() {
    this.x = Math.random() < 0.5 ? 'target' : 'model';
    this.hear(this.x);
  }

  hear(name) {
    this.player.choose(name);
    if (!this.player.sources) this.player.start();
  }

  answer(name) {
    ++this.asked;
    const was_right = name === this.x;
    if (was_right) ++this.right;
    const luck = chance_of(this.right, this.asked);
    const meaning = luck < 0.05 ? ': you hear a difference.' : ': no sign yet that you hear a difference.';
    this.result.textContent =
      `${was_right ? 'Right' : 'Wrong'}: X was the ${this.x === 'target' ? 'device' : 'model'}. ` +
      `${this.right} of ${this.asked} right; guessing does as well in ${figure(100 * luck, 2)} % of tries` +
      (this.asked >= 8 ? meaning : '.');
    this.draw_x();
  }
}

/// Of `right` or more heads in `asked` throws of a coin.
function chance_of(right, asked) {
  let ways = 1, sum = 0;
  for (let k = 0; k <= asked; ++k) {
    if (k >= right) sum += ways;
    ways *= (asked - k) / (k + 1);
  }
  return sum / 2 ** asked;
}
