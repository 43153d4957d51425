/** Refuses files before a byte of them is sent. */

import { Problem } from './problem.js';

const system = /^(\.DS_Store|\._.*|Thumbs\.db|ehthumbs\.db|desktop\.ini)$/i; // these come with folders

/** Null if the file may be sent. The service would replace a name without a letter or number. */
export function refusal({ name, size }: { name: string; size: number }, maxFileSize: number): Problem | null {
  if (system.test(name)) return new Problem(0, 'system_file', { name });
  if (!/[\p{L}\p{N}]/u.test(name)) return new Problem(0, 'bad_name', { name });
  if (size > maxFileSize) return new Problem(0, 'too_large', { name, size, most: maxFileSize });
  return null;
}
