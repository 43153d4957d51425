/** The preview of a file in a dialog, with navigation between several files. */

import type { Holdfast, StoredFile } from '@holdfast/client';
import { ask, el } from './dom';
import { kindOf } from './kind';
import { explain, t } from './language';
import { media, notShown, type Shown } from './media';

export function preview(holdfast: Holdfast, file: StoredFile): Promise<void> {
  if (file.size === 0) return lightbox(holdfast, [{ ...file, kind: 'file' }]);
  return lightbox(holdfast, [{ ...file, kind: kindOf(file.type) }]);
}

/** Shows files[at]; the arrow keys show the others. */
export async function lightbox(holdfast: Holdfast, files: Shown[], first = 0): Promise<void> {
  let at = first;
  let close = new AbortController();
  const title = el('h2', { id: 'preview-title', class: 'name', 'aria-live': 'polite' });
  const stage = el('div', { class: 'stage', 'data-testid': 'preview-stage' });
  const download = el('a', { class: 'button' }, t('Download'));
  const step = (label: string, by: number) =>
    el('button', { type: 'button', hidden: files.length < 2, onclick: () => show(at + by) }, label);
  const dialog = el('dialog', {
    class: 'dialog wide', 'aria-labelledby': 'preview-title', 'data-testid': 'preview',
    onkeydown: (event) => turn(event as KeyboardEvent),
  },
    el('div', { class: 'stack' }, title, stage,
      el('div', { class: 'buttons end' },
        step(t('Previous'), -1), step(t('Next'), 1), download,
        el('button', { class: 'primary', type: 'button', autofocus: true, onclick: () => dialog.close() }, t('Close')))));

  // Not every browser supports every image and video. Media errors do not bubble, so this listener captures.
  stage.addEventListener('error', () => stage.replaceChildren(notShown()), { capture: true });

  function turn(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const seeks = (event.target as Element).matches('video, audio'); // here the arrow keys control the player
    if (by !== undefined && files.length > 1 && !seeks) show(at + by);
  }

  function show(next: number): void {
    at = (next + files.length) % files.length;
    const file = files[at];
    if (!file) return;
    close.abort();
    close = new AbortController();
    const { signal } = close;
    title.textContent = file.name;
    download.href = file.url;
    download.download = file.name;
    stage.replaceChildren();
    media(holdfast, file, signal).then(
      (content) => signal.aborted || stage.replaceChildren(...content),
      (error: unknown) => signal.aborted || stage.replaceChildren(el('p', { class: 'bad' }, explain(error))),
    );
  }

  const closed = ask(dialog);
  show(at);
  await closed;
  close.abort();
}
