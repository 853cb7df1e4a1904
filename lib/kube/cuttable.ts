/** The reason why work was cut short. */
const hurried = new DOMException('somebody is in a hurry', 'AbortError');

/** One thing after the other that somebody in a hurry may cut short. */
export class Cuttable {
  #cut: () => void = () => {};

  /** Cuts short what goes on now, where that may be cut. */
  cut(): void {
    this.#cut();
  }

  /**
   * Does `work`, which must heed its signal; that aborts with the outer one, too. Resolves to whether it was cut short;
   * rejects with what else the work throws.
   */
  async run(
    work: (signal: AbortSignal) => Promise<void>,
    outer: AbortSignal,
    mayCut: () => boolean = () => true,
  ): Promise<boolean> {
    const controller = new AbortController();
    const end = () => controller.abort(outer.reason);
    if (outer.aborted) end();
    outer.addEventListener('abort', end, { once: true });
    this.#cut = () => {
      if (mayCut()) controller.abort(hurried);
    };
    try {
      await work(controller.signal);
      return false;
    } catch (error) {
      if (error !== hurried) throw error;
      return true;
    } finally {
      this.#cut = () => {};
      outer.removeEventListener('abort', end);
    }
  }
}
