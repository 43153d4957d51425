/** How much the user has stored, where the service counts it. */

import type { Holdfast } from '../lib';
import { el, notice } from './dom';
import { bytes, explain, t } from './language';

export async function showUsage(holdfast: Holdfast, place: HTMLElement): Promise<void> {
  try {
    const used = await holdfast.usage();
    place.hidden = used === null;
    if (used === null) return;
    const told = el('span', { 'data-testid': 'usage' }, used.quota === null
      ? t('{size} used · files: {files}', { size: bytes(used.bytes), files: used.files })
      : t('{size} of {quota} used · files: {files}', { size: bytes(used.bytes), quota: bytes(used.quota), files: used.files }));
    place.replaceChildren(el('div', { class: 'meter' }, told,
      used.quota === null ? '' : el('progress', { max: String(used.quota), value: String(used.bytes), 'aria-label': t('Space used') })));
  } catch (error) {
    notice(explain(error));
  }
}
