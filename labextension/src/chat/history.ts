import type { IEntry } from '../conversation/entries';
import type { IPending } from './pending';

/** What users have said in a conversation, oldest first, and each once in a row. */
export function saidIn(
  entries: readonly IEntry[],
  pending: readonly IPending[]
): string[] {
  const said = entries.flatMap(entry =>
    entry.kind === 'user'
      ? [entry.content]
      : entry.kind === 'tool' && entry.tool === 'python'
        ? [entry.input]
        : []
  );
  const all = [...said, ...pending.map(({ content }) => content)];
  return all.filter((content, at) => content !== all[at - 1]);
}

/** Walks through what was said before, as shells do, and back to what was being written. */
export class InputHistory {
  /** What was said before that; null at the beginning. `all`: oldest first. */
  previous(all: readonly string[], draft: string): string | null {
    if (this._at === null || draft !== this._shown) {
      // Not on a walk, or what was found has been changed: it is a new draft.
      this._at = all.length;
      this._draft = draft;
    }
    return this._show(all, this._at - 1);
  }

  /** What was said after that, at last the draft; null when not on a walk. */
  next(all: readonly string[], draft: string): string | null {
    if (this._at === null || draft !== this._shown) {
      return null;
    }
    if (this._at + 1 >= all.length) {
      this._at = null;
      return this._draft;
    }
    return this._show(all, this._at + 1);
  }

  private _show(all: readonly string[], at: number): string | null {
    const found = all[at];
    if (found === undefined) {
      return null;
    }
    this._at = at;
    this._shown = found;
    return found;
  }

  private _at: number | null = null;
  private _shown = '';
  private _draft = '';
}
