/**
 * What has become of a message so far. `unsent`: it goes out when the session is there. `waiting`:
 * for its turn, at the server. `unconfirmed`: the connection was cut before its turn began, so that
 * it may never have arrived. `refused`: it gets no turn.
 */
export type PendingState = 'unsent' | 'waiting' | 'unconfirmed' | 'refused';

/** A message of the user whose turn has not begun. */
export interface IPending {
  readonly key: number;
  readonly content: string;
  readonly state: PendingState;
}

/** The server tells of longer messages only the beginning. */
const TOLD_CHARACTERS = 65_536;

/** The messages that wait for their turns, oldest first. */
export class PendingMessages {
  /** Another array after each change. */
  get all(): readonly IPending[] {
    return this._all;
  }

  /** Add a message. */
  add(content: string, state: PendingState): void {
    this._all = [...this._all, { key: ++this._lastKey, content, state }];
  }

  /** Forget one; its content, if it was there. */
  remove(key: number): string | undefined {
    const found = this._all.find(message => message.key === key);
    this._all = this._all.filter(message => message !== found);
    return found?.content;
  }

  /** A turn has begun with these words: nobody waits for it any more. */
  begun(told: string): void {
    const found = this._all.find(
      ({ content, state }) => state !== 'unsent' && isTold(content, told)
    );
    if (found) {
      this.remove(found.key);
    }
  }

  /** All that are in one of the states `from` are in `to` from now on. */
  change(from: readonly PendingState[], to: PendingState): void {
    this._all = this._all.map(message =>
      from.includes(message.state) ? { ...message, state: to } : message
    );
  }

  /** The message sent last was refused. */
  refuseLast(): void {
    const last = this._all.filter(({ state }) => state === 'waiting').at(-1);
    this._all = this._all.map(message =>
      message === last ? { ...message, state: 'refused' } : message
    );
  }

  private _all: readonly IPending[] = [];
  private _lastKey = 0;
}

function isTold(content: string, told: string): boolean {
  return (
    content === told ||
    (content.length > TOLD_CHARACTERS &&
      told.startsWith(content.slice(0, TOLD_CHARACTERS)))
  );
}
