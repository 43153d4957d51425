/** The kind of a file: it decides about its icon and whether the browser can show it. */

import type { AttachmentType } from '@holdfast/client';

/** For stored files the type is known, so text can be shown, too. */
export type Kind = AttachmentType | 'text';

const textual = /^text\/|^application\/(json|xml)$/;

export function kindOf(type: string): Kind {
  const bare = (type.split(';')[0] ?? '').trim().toLowerCase();
  if (bare.startsWith('image/')) return 'image';
  if (bare.startsWith('video/')) return 'video';
  if (bare.startsWith('audio/')) return 'audio';
  if (bare === 'application/pdf') return 'pdf';
  return textual.test(bare) ? 'text' : 'file';
}

const outline = 'M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9zm0 0v6h6';
const drawings: Record<Kind, string> = {
  image: 'M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm-1 12 5-5 5 5 2-2 4 4M15 9h.01',
  video: 'M5 5h14a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zm5 4v6l5-3z',
  audio: 'M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zm10-2a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  pdf: `${outline}M7.8 17v-4h.9a1.2 1.2 0 0 1 0 2.4h-.9M11.2 13v4h.5a2 2 0 0 0 0-4zM15 17v-4h1.7M15 15h1.3`,
  text: `${outline}M8.5 13h7M8.5 16.5h5`,
  file: outline,
};

export function iconOf(kind: Kind): SVGSVGElement {
  const ns = 'http://www.w3.org/2000/svg';
  const icon = document.createElementNS(ns, 'svg');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', drawings[kind]);
  icon.append(path);
  return icon;
}
