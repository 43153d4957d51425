/** The user's photo and the account's logo: cropped to a square; the new picture replaces the old one. */

import type { Holdfast } from '@holdfast/client';
import { cropToSquare } from '../ui/crop';
import { byId, chooseFiles, el, notice } from '../ui/dom';
import { iconOf } from '../ui/kind';
import { explain, t } from '../ui/language';
import { media } from '../ui/media';
import { startPage } from '../ui/page';
import { send } from '../ui/sending';

void startPage(async (holdfast) => {
  const pictures = [new Picture(holdfast, 'photo', t('Your photo')), new Picture(holdfast, 'logo', t('Logo of the account'))];
  byId('pictures').replaceChildren(...pictures.map(({ card }) => card));
  await Promise.all(pictures.map((picture) => picture.show()));
});

class Picture {
  readonly card: HTMLElement;
  readonly #stage = el('div', { class: 'portrait' });
  readonly #sending = el('ul', { class: 'files', 'aria-live': 'polite' });
  readonly #key: string;

  constructor(
    private readonly holdfast: Holdfast,
    kind: 'photo' | 'logo',
    private readonly title: string,
  ) {
    this.#key = `holdfast.picture.${kind}`; // a product would store it with the user or the account
    this.card = el('section', { class: 'card stack', 'aria-labelledby': kind, 'data-testid': kind },
      el('h2', { id: kind }, title), this.#stage, this.#sending,
      el('div', { class: 'buttons centre' },
        el('button', { type: 'button', 'aria-label': `${t('Choose a picture')}: ${title}`, onclick: () => void this.#choose() }, t('Choose a picture'))));
  }

  async show(): Promise<void> {
    this.#stage.replaceChildren(iconOf('image'));
    const id = localStorage.getItem(this.#key);
    if (id === null) return;
    const picture = { id, name: this.title, url: this.holdfast.fileUrl(id), kind: 'image' } as const;
    await media(this.holdfast, picture, AbortSignal.timeout(60_000)).then(
      (content) => this.#stage.replaceChildren(...content),
      (error: unknown) => notice(explain(error)),
    );
  }

  async #choose(): Promise<void> {
    const [chosen] = await chooseFiles({ accept: 'image/*' });
    if (!chosen) return;
    notice('');
    try {
      const square = await cropToSquare(chosen);
      if (!square) return;
      const name = `${chosen.name.replace(/\.[^.]*$/, '')}.png`;
      const sent = await send(this.holdfast, new File([square], name, { type: 'image/png' }), this.#sending);
      if (!sent) return;
      await this.#replaceBy(sent.id);
      notice(t('Saved.'), 'good');
    } catch (error) {
      notice(explain(error));
    }
  }

  // The old picture is deleted last, so that there is a picture even if an earlier step fails.
  async #replaceBy(id: string): Promise<void> {
    const grant = await this.holdfast.grantOf(id);
    if (grant) await this.holdfast.setGrant(id, { ...grant, access: 'account' }); // for the account's users
    const old = localStorage.getItem(this.#key);
    localStorage.setItem(this.#key, id);
    await this.show();
    if (old !== null) await this.holdfast.remove(this.holdfast.fileUrl(old));
  }
}
