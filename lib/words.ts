/** What people read, in words. */
export interface Words {
  /** A duration, as `1 hour, 30 minutes`; whole seconds. */
  duration(ms: number): string;
}

/** Loads what makes words. That takes some milliseconds and megabytes, so only who speaks to people does it, when that begins. */
export async function loadWords(): Promise<Words> {
  const { Duration } = await import('luxon');
  return {
    duration(ms) {
      const seconds = Math.round(ms / 1000);
      // Its own words, and the language of the machine, come from Intl, which takes 8 MB of memory.
      const parts = Duration.fromObject({ seconds }, { locale: 'en' }).rescale().toObject();
      const words = Object.entries(parts).map(([unit, count]) => `${count} ${count === 1 ? unit.slice(0, -1) : unit}`);
      return words.join(', ') || '0 seconds';
    },
  };
}
