/** The longest pause between two attempts, in milliseconds. */
const LONGEST = 30_000;

/** Calls `attempt` again and again, with pauses that double, until somebody says that it worked. */
export class Backoff {
  /** `first`: the shortest pause, in milliseconds. */
  constructor(
    private readonly _first: number,
    private readonly _attempt: () => void
  ) {}

  /** Attempt it after the next pause. */
  later(): void {
    this._clear();
    const pause = Math.min(LONGEST, this._first * 2 ** this._failures);
    this._failures += 1;
    this._timer = setTimeout(
      () => {
        this._timer = undefined;
        this._attempt();
      },
      // Not all pages of a server that was restarted at the same moment.
      pause * (0.5 + Math.random() / 2)
    );
  }

  /** Attempt it at once, if it was to be attempted later. */
  now(): void {
    if (this._timer !== undefined) {
      this.reset();
      this._attempt();
    }
  }

  /** It worked, or is not wanted any more. */
  reset(): void {
    this._clear();
    this._failures = 0;
  }

  private _clear(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _failures = 0;
}
