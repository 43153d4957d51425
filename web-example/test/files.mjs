// Test files to upload, and their hashes to compare with.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';

/** Bytes without a period at part boundaries, so that a swapped or lost part changes the hash. */
export function content(size, seed = 1) {
  const bytes = Buffer.allocUnsafe(size);
  let x = (seed * 0x9e3779b1) >>> 0 || 1;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size >>> 2);
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x >>> 0;
  }
  for (let i = words.length * 4; i < size; i++) bytes[i] = i & 0xff;
  return bytes;
}

export async function writeContent(path, size, seed) {
  const file = await open(path, 'w');
  await file.writeFile(content(size, seed));
  await file.close();
  return path;
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes);
  return hash.digest('hex');
}

export async function sha256OfUrl(url, token) {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`);
  const hash = createHash('sha256');
  for await (const bytes of response.body) hash.update(bytes);
  return hash.digest('hex');
}

/** A PNG for screenshots: a sky above a sea. */
export function picture(width, height) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0, at = 0; y < height; y++) {
    at++; // the row's filter: none
    for (let x = 0; x < width; x++) {
      const sea = y > height * 0.62;
      const t = y / height;
      const sun = Math.hypot(x - width * 0.68, y - height * 0.45) < height * 0.13;
      const wave = sea ? 10 * Math.sin(x / 17 + y / 3) : 0;
      rows[at++] = sun && !sea ? 255 : sea ? 11 + wave : 90 + 150 * t;
      rows[at++] = sun && !sea ? 214 : sea ? 110 + wave - 40 * t : 150 + 40 * t;
      rows[at++] = sun && !sea ? 140 : sea ? 118 + wave - 20 * t : 200 - 60 * t;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits a channel, RGB
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** A WAV of this many seconds of silence: 8 bits, 8 kHz. */
export function silence(seconds) {
  const wav = Buffer.alloc(44 + seconds * 8000, 0x80);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // mono
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(8000, 28);
  wav.writeUInt16LE(1, 32);
  wav.writeUInt16LE(8, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(wav.length - 44, 40);
  return wav;
}

function chunk(type, data) {
  const framed = Buffer.alloc(12 + data.length);
  framed.writeUInt32BE(data.length, 0);
  framed.write(type, 4, 'latin1');
  framed.set(data, 8);
  framed.writeUInt32BE(crc32(framed.subarray(4, 8 + data.length)), 8 + data.length);
  return framed;
}

// zlib.crc32 exists since Node 20.15 and 22.2; this works with every Node 20.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A PDF of one page with one line on it. */
export function pdf(text) {
  const content = `BT /F1 48 Tf 60 700 Td (${text}) Tj ET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  let out = '%PDF-1.4\n';
  const offsets = objects.map((object, i) => {
    const at = out.length;
    out += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const table = out.length;
  out += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  out += offsets.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('');
  out += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return Buffer.from(out, 'latin1');
}
