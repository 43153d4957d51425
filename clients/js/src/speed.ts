/** Bytes per second over the last few seconds: an average over the whole upload would hide a slowing connection. */

const window = 5000; // milliseconds

export class Speed {
  #samples: { time: number; sent: number }[] = [];

  reset(): void {
    this.#samples = [];
  }

  /** Adds a sample of the bytes sent so far. Null until there are two. */
  at(sent: number, time = performance.now()): number | null {
    const last = this.#samples.at(-1);
    if (last && sent < last.sent) this.reset(); // the bytes of an interrupted request no longer count
    this.#samples.push({ time, sent });
    this.#samples = this.#samples.filter((one) => time - one.time <= window);
    const first = this.#samples[0];
    if (!first || time - first.time < 200) return null;
    return ((sent - first.sent) * 1000) / (time - first.time);
  }
}
