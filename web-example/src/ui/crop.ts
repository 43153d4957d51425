/** Lets the user choose a square part of a picture: drag it, zoom it, or use the keys. */

import { Problem } from '@holdfast/client';
import { ask, el } from './dom';
import { t } from './language';

const side = 512; // pixels of the cropped picture
const step = 8; // pixels of the cropped picture that an arrow key moves it

/** Returns the square as PNG; null if the user has closed the dialog. */
export async function cropToSquare(file: File): Promise<Blob | null> {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Problem(0, 'not_a_picture', { name: file.name });
  });
  const canvas = el('canvas', {
    width: String(side), height: String(side), tabindex: '0', class: 'crop', role: 'img', 'data-testid': 'crop',
    'aria-label': t('The part that is kept. The arrow keys move the picture, plus and minus change its size.'),
  });
  const zoom = el('input', { type: 'range', min: '1', max: '4', step: '0.05', value: '1', 'data-testid': 'zoom' });
  const view = new View(picture, canvas);
  zoom.addEventListener('input', () => view.zoom(Number(zoom.value)));
  canvas.addEventListener('pointerdown', (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener('pointermove', (event) => {
    const scale = side / canvas.clientWidth;
    if (canvas.hasPointerCapture(event.pointerId)) view.move(event.movementX * scale, event.movementY * scale);
  });
  canvas.addEventListener('keydown', (event) => {
    const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    const by = { '+': 0.1, '-': -0.1 }[event.key] ?? 0;
    if (x === 0 && y === 0 && by === 0) return;
    event.preventDefault();
    zoom.value = String(Number(zoom.value) + by);
    view.zoom(Number(zoom.value));
    view.move(x ?? 0, y ?? 0);
  });

  const answer = await ask(el('dialog', { class: 'dialog', 'aria-labelledby': 'crop-title' },
    el('form', { method: 'dialog', class: 'stack' },
      el('h2', { id: 'crop-title' }, t('Cut to a square')), canvas,
      el('label', { class: 'field' }, el('span', {}, t('Size')), zoom),
      el('div', { class: 'buttons end' },
        el('button', { value: '' }, t('Cancel')),
        el('button', { value: 'yes', class: 'primary', 'data-testid': 'crop-done' }, t('Use it'))))));
  picture.close();
  return answer === 'yes' ? new Promise((resolve) => canvas.toBlob(resolve, 'image/png')) : null;
}

/** The position and zoom of the picture behind the square. The picture always fills the square. */
class View {
  #zoom = 1;
  #x = 0; // distance of the picture's centre from the square's, in pixels of the square
  #y = 0;
  readonly #fit: number;
  readonly #context: CanvasRenderingContext2D;

  constructor(
    private readonly picture: ImageBitmap,
    canvas: HTMLCanvasElement,
  ) {
    this.#fit = side / Math.min(picture.width, picture.height);
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser has no canvas');
    this.#context = context;
    this.#context.imageSmoothingQuality = 'high';
    this.move(0, 0);
  }

  zoom(to: number): void {
    const by = to / this.#zoom;
    this.#zoom = to;
    this.#x *= by;
    this.#y *= by;
    this.move(0, 0);
  }

  move(dx: number, dy: number): void {
    const scale = this.#fit * this.#zoom;
    const [width, height] = [this.picture.width * scale, this.picture.height * scale];
    this.#x = within(this.#x + dx, (width - side) / 2);
    this.#y = within(this.#y + dy, (height - side) / 2);
    this.#context.clearRect(0, 0, side, side); // a logo may be transparent
    this.#context.drawImage(this.picture, this.#x + (side - width) / 2, this.#y + (side - height) / 2, width, height);
  }
}

const within = (value: number, most: number) => Math.min(most, Math.max(-most, value));
