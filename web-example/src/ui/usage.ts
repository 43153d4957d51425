/** Shows how much the account has stored, if the service counts it. */

import type { Holdfast } from '@holdfast/client';
import { el, notice } from './dom';
import { bytes, explain, t } from './language';

export async function showUsage(holdfast: Holdfast, place: HTMLElement): Promise<void> {
  try {
    const used = await holdfast.usage();
    place.hidden = used === null;
    if (used === null) return;
    const { bytes: size, max_bytes: mostBytes, files, max_files: mostFiles } = used;
    place.replaceChildren(
      el('dl', { class: 'facts', 'data-testid': 'usage' },
        fact(t('Space used'), bytes(size), mostBytes === null ? null : bytes(mostBytes)),
        fact(t('Files'), String(files), mostFiles === null ? null : String(mostFiles))),
      mostBytes === null ? '' : el('progress', { max: String(mostBytes), value: String(size), 'aria-label': t('Space used') }));
  } catch (error) {
    notice(explain(error));
  }
}

const fact = (name: string, part: string, size: string | null) =>
  el('div', {}, el('dt', {}, name), el('dd', {}, size === null ? part : t('{part} of {size}', { part, size })));
