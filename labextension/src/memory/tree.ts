import { StateModel } from '../model/state';
import type { IEntry, IListing, IRoute, MemoryClient } from '../server/memory';
import { directoriesTo, parentOf } from './paths';

/** Entries of a directory that are shown before the user asks for more. */
const SHOWN = 500;

/** One line of the tree. */
export interface IRow {
  /** Unique among the rows. */
  readonly key: string;
  readonly depth: number;
  readonly kind: 'route' | 'directory' | 'file' | 'link' | 'other' | 'note';

  /** Of all but notes; percent-encoded, with a closing slash for routes. */
  readonly path: string;
  readonly entry: IEntry | null;
  readonly route: IRoute | null;

  /** Of what can be opened. */
  readonly expanded: boolean | null;
  readonly note: Note | null;

  /** Place among its siblings, from 1, and how many these are. */
  readonly position: number;
  readonly setSize: number;
}

/** What a line says that stands for no file. */
export type Note =
  | { readonly kind: 'loading' | 'empty' | 'truncated' | 'no-session' }
  | { readonly kind: 'more'; readonly directory: string; readonly count: number }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Directories that are open, and what is in them; each is listed when it is opened. */
export class TreeModel extends StateModel {
  constructor(
    private readonly _client: MemoryClient,
    private readonly _sessionFor: (path: string) => string | null
  ) {
    super();
  }

  /** Path of the row that the keyboard is at. */
  get active(): string | null {
    return this._active;
  }

  set active(path: string | null) {
    if (path !== this._active) {
      this._active = path;
      this.stateChanged.emit();
    }
  }

  /** The entry or route of the active row. */
  get activeRow(): IRow | null {
    return this.rows.find(row => row.key === this._active) ?? null;
  }

  /** The directory that new files go to: the active one, or that of the active file. */
  get directory(): string | null {
    const row = this.activeRow;
    if (row === null || row.kind === 'note') {
      return this._routes.find(route => route.type === 'store')?.prefix ?? null;
    }
    return row.expanded === null ? parentOf(row.path) : row.path;
  }

  /** The routes, which are the top of the tree. */
  setRoutes(routes: readonly IRoute[]): void {
    this._routes = routes;
    this.stateChanged.emit();
  }

  /** All lines that are to be seen. */
  get rows(): readonly IRow[] {
    return this._routes.flatMap((route, i) => {
      const path = encodeURI(route.prefix);
      const place = { position: i + 1, setSize: this._routes.length };
      const common = { key: path, path, depth: 0, kind: 'route' as const };
      const expanded = this._expanded.has(path);
      const row: IRow = { ...common, ...place, route, expanded, entry: null, note: null };
      return expanded ? [row, ...this._children(path, 1, route)] : [row];
    });
  }

  /** Open a directory or close it. */
  async toggle(path: string, open = !this._expanded.has(path)): Promise<void> {
    if (!open) {
      this._expanded.delete(path);
      this.stateChanged.emit();
      return;
    }
    if (!this._expanded.has(path)) {
      this._expanded.add(path);
      this.stateChanged.emit();
      await this._load(path);
    }
  }

  /** Open all that `path` is in, and make it the active row. */
  async reveal(path: string): Promise<void> {
    const route = routeOf(this._routes, path);
    if (route !== undefined) {
      const directories = directoriesTo(path, encodeURI(route.prefix));
      directories.forEach(directory => this._expanded.add(directory));
      await Promise.all(directories.map(directory => this._load(directory)));
      this.active = path;
    }
  }

  /** Make the directory that something is in the active row. */
  activateParent(path: string): void {
    const parent = parentOf(path);
    const isTop = this._routes.some(route => encodeURI(route.prefix) === parent);
    this.active = isTop ? parent : directoryKey(parent);
  }

  /** Show more of a long directory. */
  showMore(directory: string): void {
    const shown = this._shown.get(directory) ?? SHOWN;
    this._shown.set(directory, shown + SHOWN);
    this.stateChanged.emit();
  }

  /** List all open directories again. */
  async refresh(): Promise<void> {
    let level: readonly IRow[];
    // Level by level: what is gone is not asked for.
    for (let depth = 0; (level = this._open(depth)).length > 0; depth++) {
      await Promise.all(level.map(row => this._load(row.path)));
    }
  }

  private _open(depth: number): IRow[] {
    return this.rows.filter(row => row.depth === depth && row.expanded === true);
  }

  /** The entry at a path, as it was last listed. */
  entry(path: string): IEntry | null {
    const listing = this._listings.get(path.replace(/\/[^/]*$/, ''));
    return listing?.entries.find(entry => entry.path === path) ?? null;
  }

  private _children(path: string, depth: number, route: IRoute): IRow[] {
    const note = (kind: Note, position = 1, setSize = 1): IRow => ({
      key: `${path}//${kind.kind}`,
      path,
      depth,
      kind: 'note',
      entry: null,
      route: null,
      expanded: null,
      note: kind,
      position,
      setSize
    });
    if (route.type === 'state' && this._sessionFor(path) === null) {
      return [note({ kind: 'no-session' })];
    }
    const failed = this._failures.get(path);
    if (failed !== undefined) {
      return [note({ kind: 'failed', error: failed })];
    }
    const listing = this._listings.get(directoryKey(path));
    if (listing === undefined) {
      return [note({ kind: 'loading' })];
    }
    const { entries, truncated } = listing;
    if (entries.length === 0) {
      return [note({ kind: 'empty' })];
    }
    const shown = entries.slice(0, this._shown.get(path) ?? SHOWN);
    const count = entries.length - shown.length;
    const rest: Note | null =
      count > 0
        ? { kind: 'more', directory: path, count }
        : truncated
          ? { kind: 'truncated' }
          : null;
    const setSize = shown.length + (rest === null ? 0 : 1);
    const rows = shown.flatMap((entry, i): IRow[] => {
      const isDirectory = entry.type === 'directory';
      const expanded = isDirectory ? this._expanded.has(entry.path) : null;
      const row: IRow = {
        key: entry.path,
        path: entry.path,
        depth,
        kind: entry.type,
        entry,
        route: null,
        expanded,
        note: null,
        position: i + 1,
        setSize
      };
      return expanded === true
        ? [row, ...this._children(entry.path, depth + 1, route)]
        : [row];
    });
    return rest === null ? rows : [...rows, note(rest, setSize, setSize)];
  }

  /** List a directory. Never rejects. */
  private async _load(path: string): Promise<void> {
    const session = this._sessionFor(path);
    if (session === null && routeOf(this._routes, path)?.type === 'state') {
      this._listings.delete(directoryKey(path)); // that was another session's
      return;
    }
    const request = (this._requests.get(path) ?? 0) + 1;
    this._requests.set(path, request);
    let listing: IListing | null = null;
    let failure: unknown;
    try {
      listing = await this._client.listDirectory(path, session);
    } catch (error) {
      failure = error;
    }
    // Answers can overtake each other; only the one asked for last counts.
    if (this.isDisposed || this._requests.get(path) !== request) {
      return;
    }
    if (listing === null) {
      this._failures.set(path, failure);
    } else {
      this._failures.delete(path);
      this._listings.set(directoryKey(path), sorted(listing));
    }
    this.stateChanged.emit();
  }

  private readonly _listings = new Map<string, IListing>();
  private readonly _failures = new Map<string, unknown>();
  private readonly _expanded = new Set<string>();
  private readonly _shown = new Map<string, number>();
  private readonly _requests = new Map<string, number>();
  private _routes: readonly IRoute[] = [];
  private _active: string | null = null;
}

/** The route that a path belongs to: the longest prefix wins. */
export function routeOf(routes: readonly IRoute[], path: string): IRoute | undefined {
  return routes
    .filter(({ prefix }) => `${path}/`.startsWith(encodeURI(prefix)))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

const directoryKey = (path: string): string => path.replace(/\/$/, '');

/** Directories first, then by name. */
function sorted({ entries, truncated }: IListing): IListing {
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const rank = (entry: IEntry): number => (entry.type === 'directory' ? 0 : 1);
  return {
    entries: [...entries].sort(
      (a, b) => rank(a) - rank(b) || compare(a.name, b.name)
    ),
    truncated
  };
}
