/** The CRC32 of a part, as stores compare it. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum >>> 0;
});

/** Of the blob's bytes, in base64. */
export async function crc32(blob: Blob): Promise<string> {
  let sum = 0xffffffff;
  for (const byte of new Uint8Array(await blob.arrayBuffer())) sum = (table[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8);
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, ~sum >>> 0);
  return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
}
