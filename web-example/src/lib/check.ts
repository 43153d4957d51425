/** What is wrong with a file, told before a byte of it is sent. */

import { Problem } from './problem';

const system = /^(\.DS_Store|\._.*|Thumbs\.db|ehthumbs\.db|desktop\.ini)$/i; // they come along with folders

/** Null: it may be sent. The service takes any name; one without a letter or number it could not keep. */
export function refusal({ name, size }: { name: string; size: number }, maxFileSize: number): Problem | null {
  if (system.test(name)) return new Problem(0, 'system_file', { name });
  if (!/[\p{L}\p{N}]/u.test(name)) return new Problem(0, 'bad_name', { name });
  if (size > maxFileSize) return new Problem(0, 'too_large', { name, size, most: maxFileSize });
  return null;
}
