/** The service's files in markdown text: how they are written, and how they are found again. */

import { marked, type Token, type Tokens } from 'marked';
import { attachmentType, type AttachmentType } from './attachment.js';

export interface MarkdownFile {
  id: string;
  /** What the link shows: its label, without formatting. */
  name: string;
  url: string;
  type: AttachmentType;
  /** Written as an image: `![name](url)`. */
  image: boolean;
}

/**
 * The files under `base` that a text links to, in the text's order, each once. Links to anything
 * else, bare addresses, and what stands in code are left alone.
 */
export function parseMarkdownFiles(text: string, base: string): MarkdownFile[] {
  const files = new Map<string, MarkdownFile>();
  void marked.walkTokens(marked.lexer(text), (token) => {
    if (!isLink(token) || isBare(token)) return;
    const id = fileId(token.href, base);
    if (id === null || files.has(id)) return;
    const name = plain(token).trim();
    files.set(id, { id, name, url: token.href, type: attachmentType(name, token.href), image: token.type === 'image' });
  });
  return [...files.values()];
}

/** `[name](url)`, or `![name](url)`. Any name comes back as it is from parseMarkdownFiles. */
export function markdownLink(name: string, url: string, image: boolean): string {
  const label = name.trim().replace(/\s+/g, ' ').replace(/[\\[\]*_~`<>&]/g, '\\$&').replaceAll('](', ']\\(');
  return `${image ? '!' : ''}[${label}](${url})`;
}

/** The id of the file at this address; null if it is not a file of the service under `base`. */
export function fileId(href: string, base: string): string | null {
  let url: string;
  try {
    url = new URL(href, base).href;
  } catch {
    return null;
  }
  const folder = `${new URL(base).href.replace(/\/+$/, '')}/`;
  if (!url.startsWith(folder)) return null;
  const id = url.slice(folder.length).replace(/[?#].*$/s, '');
  return /^[\w.%-]{8,512}$/.test(id) ? id : null;
}

const isLink = (token: Token): token is Tokens.Link | Tokens.Image => token.type === 'link' || token.type === 'image';

const isBare = (token: Tokens.Link | Tokens.Image) => 'autolink' in token && token.autolink === true;

/** A label's text without formatting. */
function plain(token: Token): string {
  if (token.type === 'image') return marked.Lexer.lexInline(imageLabel(token.raw)).map(plain).join('');
  if ('tokens' in token && token.tokens) return token.tokens.map(plain).join('');
  return 'text' in token && typeof token.text === 'string' ? decoded(token.type, token.text) : '';
}

/** The text in the brackets. marked drops an image's escapes before it parses its formatting. */
function imageLabel(raw: string): string {
  let depth = 1;
  for (let at = 2; at < raw.length; at++) {
    if (raw[at] === '\\') at++;
    else if (raw[at] === '[') depth++;
    else if (raw[at] === ']' && --depth === 0) return raw.slice(2, at);
  }
  return '';
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0' };

/** marked leaves entities (`&amp;`) to HTML; a name is not HTML. In code and behind `\\` they stay. */
function decoded(type: string, text: string): string {
  if (type !== 'text') return text;
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (entity: string, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return named[name] ?? entity;
    const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : entity;
  });
}
