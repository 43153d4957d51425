/** Bytes a second over the last few seconds: an average over all of it would hide a line that slows. */

const window = 5000; // milliseconds

export class Speed {
  #samples: { time: number; sent: number }[] = [];

  reset(): void {
    this.#samples = [];
  }

  /** Takes in how much has been sent by now. Null until there is something to compare with. */
  at(sent: number, time = performance.now()): number | null {
    const last = this.#samples.at(-1);
    if (last && sent < last.sent) this.reset(); // an interrupted request is counted back
    this.#samples.push({ time, sent });
    this.#samples = this.#samples.filter((one) => time - one.time <= window);
    const first = this.#samples[0];
    if (!first || time - first.time < 200) return null;
    return ((sent - first.sent) * 1000) / (time - first.time);
  }
}
