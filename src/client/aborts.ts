/**
 * Listening to AbortSignals with one listener per signal, however many calls share it: Node warns of
 * a leak from the eleventh listener on, and pipelined calls do share one.
 */
interface Shared {
  readonly runs: Set<() => void>;
  readonly fire: () => void;
}

export class Aborts {
  readonly #signals = new WeakMap<AbortSignal, Shared>();

  /** Calls `run` when the signal fires, which it has not yet; returns how to stop listening. */
  listen(signal: AbortSignal, run: () => void): () => void {
    const shared = this.#signals.get(signal) ?? this.#start(signal);
    shared.runs.add(run);
    return () => {
      if (!shared.runs.delete(run) || shared.runs.size > 0) return;
      signal.removeEventListener('abort', shared.fire);
      this.#signals.delete(signal);
    };
  }

  #start(signal: AbortSignal): Shared {
    const runs = new Set<() => void>();
    const fire = (): void => {
      for (const run of [...runs]) run();
    };
    const shared = { runs, fire };
    this.#signals.set(signal, shared);
    signal.addEventListener('abort', fire, { once: true });
    return shared;
  }
}
