import type { IEntry, IOutput, IToolEntry, NewEntry } from './entries';

/** Characters that anything costs besides its text. */
const OVERHEAD = 64;

/** The entries of a conversation, the oldest of which go when there are too many. */
export class EntryList {
  /** At most `entries` of them, of about `characters` in all; the newest always stays. */
  constructor(
    private readonly _limits: { readonly entries: number; readonly characters: number }
  ) {}

  /** Oldest first; another array after each change. */
  get all(): readonly IEntry[] {
    this._snapshot ??= [...this._entries];
    return this._snapshot;
  }

  get last(): IEntry | undefined {
    return this._entries.at(-1);
  }

  /** How many went. */
  get dropped(): number {
    return this._dropped;
  }

  /** The newest entry for which `isWanted`. */
  find<T extends IEntry>(isWanted: (entry: IEntry) => entry is T): T | undefined {
    for (let at = this._entries.length - 1; at >= 0; at--) {
      const entry = this._entries[at];
      if (entry && isWanted(entry)) {
        return entry;
      }
    }
    return undefined;
  }

  /** Add an entry at the end. */
  add<T extends NewEntry>(fields: T): T & { readonly key: number } {
    const entry = { ...fields, key: this._dropped + this._entries.length };
    this._put(entry);
    return entry;
  }

  /** Put `entry` in the place of the one with its key, if that is still there. */
  replace(entry: IEntry): void {
    if (entry.key >= this._dropped) {
      this._put(entry);
    }
  }

  private _put(entry: IEntry): void {
    this._snapshot = null;
    const at = entry.key - this._dropped;
    const size = sizeOf(entry);
    this._size += size - (this._sizes[at] ?? 0);
    this._entries[at] = entry;
    this._sizes[at] = size;
    const { entries, characters } = this._limits;
    while (
      this._entries.length > 1 &&
      (this._entries.length > entries || this._size > characters)
    ) {
      this._entries.shift();
      this._size -= this._sizes.shift() ?? 0;
      this._dropped += 1;
    }
  }

  private readonly _entries: IEntry[] = [];
  private readonly _sizes: number[] = [];
  private _snapshot: readonly IEntry[] | null = null;
  private _size = 0;
  private _dropped = 0;
}

/** `entry` with a piece more of output, and of all of it the last `limit` characters. */
export function withOutput(
  entry: IToolEntry,
  piece: IOutput,
  limit: number
): IToolEntry {
  const output = [...entry.output];
  const last = output.at(-1);
  if (last?.stream === piece.stream) {
    output[output.length - 1] = { ...last, text: last.text + piece.text };
  } else {
    output.push(piece);
  }
  let { omitted } = entry;
  let excess = sizeOfOutput(output) - limit;
  while (excess > 0) {
    const [first, ...rest] = output;
    if (!first) {
      break;
    }
    const cut = Math.min(excess, first.text.length);
    omitted += cut;
    if (cut < first.text.length) {
      output[0] = { ...first, text: first.text.slice(cut) };
      break;
    }
    output.splice(0, output.length, ...rest);
    excess = sizeOfOutput(output) - limit;
  }
  return { ...entry, output, omitted };
}

/** Pieces cost something as well: a million empty ones are not for free. */
function sizeOfOutput(output: readonly IOutput[]): number {
  return output.reduce((size, { text }) => size + OVERHEAD + text.length, 0);
}

/** About how many characters an entry holds. */
function sizeOf(entry: IEntry): number {
  switch (entry.kind) {
    case 'user':
    case 'assistant':
      return OVERHEAD + entry.content.length;
    case 'tool':
      return (
        OVERHEAD +
        entry.input.length +
        sizeOfOutput(entry.output) +
        // Only the end of a tool brings any, so this is done once for each.
        (entry.artifacts.length > 0 ? JSON.stringify(entry.artifacts).length : 0)
      );
    case 'diff':
      return entry.files.reduce(
        (size, file) => size + OVERHEAD + file.length,
        OVERHEAD + entry.preview.length
      );
    case 'tests':
      return OVERHEAD + entry.summary.length;
    case 'notice':
      return OVERHEAD + entry.message.length;
  }
}
