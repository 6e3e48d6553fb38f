import type { ServerConnection } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';

import type { IServerEvent, ServerEvents } from '../server/events';
import { ON_THE_WAY } from '../server/events';
import type { IProject, IProjectList } from '../server/projects';
import { findProject, listProjects } from '../server/projects';
import { asError } from '../server/request';
import { StateModel } from './state';

/** Events that change no list. */
const NOT_LISTED = [...ON_THE_WAY, 'reconcile'];

/** How many projects are asked for: as many as the server gives. */
const LIMIT = 10_000;

/** If more projects than these have changed, the whole list is asked for. */
const FEW = 5;

/** The projects as the server has them; views render it again at each `stateChanged`. */
export class ProjectsModel extends StateModel {
  constructor(
    settings: ServerConnection.ISettings,
    events: ServerEvents,
    delay = 250
  ) {
    super();
    this._settings = settings;
    // One start or stop of a kernel can come as several events.
    this._changed = new Debouncer(() => this._catchUp(), delay);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
  }

  /** The last list that arrived, without the trash; null before the first. */
  get list(): IProjectList | null {
    return this._list;
  }

  /** The projects in the trash as they were last asked for; null when they were not. */
  get trash(): IProjectList | null {
    return this._trash;
  }

  /** Why the last refresh failed, or null. The list before it is kept. */
  get error(): Error | null {
    return this._error;
  }

  override dispose(): void {
    this._changed.dispose();
    super.dispose();
  }

  /** The project of that id, also from the trash if that is known. */
  project(id: string): IProject | undefined {
    const lists = [this._list, this._trash];
    return lists.flatMap(list => list?.projects ?? []).find(p => p.id === id);
  }

  /** The project in whose files that path of the contents API lies. */
  projectAt(path: string): IProject | undefined {
    return this._list?.projects.find(
      ({ contentsPath }) =>
        contentsPath !== null && `${path}/`.startsWith(`${contentsPath}/`)
    );
  }

  /** Whether the trash is followed, too. */
  set showsTrash(showsTrash: boolean) {
    if (showsTrash !== this._showsTrash) {
      this._showsTrash = showsTrash;
      this._trash = null;
      if (showsTrash) {
        void this.refresh();
      }
    }
  }

  /** Fetch the lists. Never rejects: a failure becomes `error`. */
  async refresh(): Promise<void> {
    const request = ++this._lastRequest;
    this._stale.clear();
    let [list, trash] = [this._list, this._trash];
    let error: Error | null = null;
    try {
      [list, trash] = await Promise.all([
        listProjects(this._settings, { limit: LIMIT }),
        this._showsTrash
          ? listProjects(this._settings, { status: 'trashed', limit: LIMIT })
          : null
      ]);
    } catch (reason) {
      error = asError(reason);
    }
    // Answers can overtake each other; only the one asked for last counts.
    if (this.isDisposed || request !== this._lastRequest) {
      return;
    }
    this._list = list;
    this._trash = this._showsTrash ? trash : null;
    this._error = error;
    this.stateChanged.emit();
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    if (NOT_LISTED.includes(event.noun)) {
      return;
    }
    const movesLists = event.noun === 'project' && event.action !== 'changed';
    if (event.projectId === null || (movesLists && this._showsTrash)) {
      this._allStale = true;
    } else {
      this._stale.add(event.projectId);
    }
    void this._changed.invoke();
  }

  private _onConnected(): void {
    this._allStale = true;
    void this._changed.invoke();
  }

  /** Fetch what events were about. */
  private async _catchUp(): Promise<void> {
    const list = this._list;
    const isMuch = this._allStale || this._stale.size > FEW;
    if (isMuch || list === null || this._error !== null) {
      this._allStale = false;
      await this.refresh();
      return;
    }
    const request = ++this._lastRequest;
    const stale = [...this._stale];
    this._stale.clear();
    try {
      const found = await Promise.all(stale.map(id => this._find(id)));
      if (!this.isDisposed && request === this._lastRequest) {
        this._replace(list, stale, found);
      }
    } catch {
      await this.refresh();
      return;
    }
    if (!this.isDisposed && request !== this._lastRequest) {
      // Something else was asked for meanwhile, which may not know of these.
      stale.forEach(id => this._stale.add(id));
      void this._changed.invoke();
    }
  }

  /** The project as it is now; null when it is no more, or in the trash. */
  private async _find(id: string): Promise<IProject | null> {
    const project = await findProject(this._settings, id);
    return project?.status === 'trashed' ? null : project;
  }

  private _replace(
    { projects, total }: IProjectList,
    ids: readonly string[],
    found: readonly (IProject | null)[]
  ): void {
    const others = projects.filter(project => !ids.includes(project.id));
    const there = found.filter(project => project !== null);
    const all = [...others, ...there].sort((a, b) => newerFirst(a, b));
    const added = all.length - projects.length;
    this._list = { projects: all, total: total + added };
    this.stateChanged.emit();
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _changed: Debouncer;
  private readonly _stale = new Set<string>();
  private _allStale = false;
  private _list: IProjectList | null = null;
  private _trash: IProjectList | null = null;
  private _showsTrash = false;
  private _error: Error | null = null;
  private _lastRequest = 0;
}

/** The order of the server; a sort leaves equal ones where they are. */
function newerFirst(a: IProject, b: IProject): number {
  const [x, y] = [a.lastAccessed ?? '', b.lastAccessed ?? ''];
  return x < y ? 1 : x > y ? -1 : 0;
}
