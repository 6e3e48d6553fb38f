import type { Kernel, ServerConnection } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';

import { StateModel } from '../model/state';
import { text } from '../server/check';
import type { IServerEvent, ServerEvents } from '../server/events';
import { ON_THE_WAY } from '../server/events';
import type { IRoute, IRoutes } from '../server/memory';
import { MemoryClient } from '../server/memory';
import type { ISession } from '../server/sessions';
import { SnapshotsClient } from '../server/snapshots';
import type { SessionsModel } from '../sessions/model';
import { FileModel } from './file';
import { HistoryModel } from './history';
import { routeOf, TreeModel } from './tree';

/** What the right side shows. */
export type Stage = 'nothing' | 'file' | 'difference';

/** All that the memory view of one project shows, kept up to date while it is to be seen. */
export class MemoryModel extends StateModel {
  constructor(
    settings: ServerConnection.ISettings,
    events: ServerEvents,
    private readonly _all: SessionsModel,
    readonly projectId: string,
    delay = 250
  ) {
    super();
    this.client = new MemoryClient(settings, projectId);
    this.tree = new TreeModel(this.client, path => this.sessionFor(path));
    this.history = new HistoryModel(new SnapshotsClient(settings, projectId));
    this._stale = new Debouncer(() => this.refresh(), delay);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this.invalidate, this);
    _all.stateChanged.connect(this._onSessions, this);
    this._onSessions();
  }

  readonly client: MemoryClient;
  readonly tree: TreeModel;
  readonly history: HistoryModel;

  /** The routes; null before the first answer. */
  get routes(): IRoutes | null {
    return this._routes;
  }

  /** The route of hot memory. */
  get hot(): IRoute | null {
    return this._routes?.routes.find(route => route.type === 'store') ?? null;
  }

  /** Why the last refresh failed. */
  get error(): unknown {
    return this._error;
  }

  /** The server's sentence on what is wrong with hot memory. */
  get warning(): string {
    return this._warning;
  }

  /** What is being done that takes a while; empty for nothing. */
  get busy(): string {
    return this._busy;
  }

  set busy(busy: string) {
    this._busy = busy;
    this.stateChanged.emit();
  }

  /** The sessions that live, newest first. */
  get sessions(): readonly ISession[] {
    return this._sessions;
  }

  /** The session whose private memory is shown. */
  get session(): string | null {
    return this._session;
  }

  set session(id: string | null) {
    this._session = id;
    this.stateChanged.emit();
    this.invalidate();
  }

  get file(): FileModel | null {
    return this._file;
  }

  get stage(): Stage {
    return this._stage;
  }

  set stage(stage: Stage) {
    this._stage = stage;
    this.stateChanged.emit();
  }

  /** While it is not visible, nothing is fetched. */
  get isVisible(): boolean {
    return this._isVisible;
  }

  set isVisible(isVisible: boolean) {
    this._isVisible = isVisible;
    if (isVisible) {
      this.invalidate();
    }
  }

  override dispose(): void {
    this._stale.dispose();
    this.tree.dispose();
    this.history.dispose();
    this._file?.dispose();
    super.dispose();
  }

  /** The session that has to be named for a path; null where none has, or there is none. */
  sessionFor(path: string): string | null {
    const isPrivate = routeOf(this._routes?.routes ?? [], path)?.type === 'state';
    return isPrivate ? this._session : null;
  }

  /** Open a file, in place of the one that is open. */
  async open(path: string): Promise<void> {
    this._file?.dispose();
    const file = new FileModel(this.client, this.sessionFor(path), path);
    this._file = file;
    file.stateChanged.connect(() => {
      this.stateChanged.emit();
    });
    this.stage = 'file';
    await file.load();
  }

  /** Close the file that is open. */
  close(): void {
    this._file?.dispose();
    this._file = null;
    this.stage = 'nothing';
  }

  /**
   * Remove a file, or a directory with all that is in it. Nothing is fetched meanwhile: what goes
   * would be asked for in vain.
   *
   * @throws what MemoryClient.remove throws.
   */
  async remove(path: string): Promise<void> {
    this._removals += 1;
    try {
      await this._refreshed;
      await this.client.remove(path, this.sessionFor(path));
      if (`${this._file?.path ?? ''}/`.startsWith(`${path}/`)) {
        this.close();
      }
    } finally {
      this._removals -= 1;
      await this.refresh();
    }
  }

  /** Fetch all that is shown, or leave it to who removes something. Never rejects. */
  async refresh(): Promise<void> {
    if (this._removals === 0) {
      this._refreshed = Promise.all([this._refreshed, this._fetch()]);
      await this._refreshed;
    }
  }

  private async _fetch(): Promise<void> {
    const request = ++this._requests;
    let error: unknown = null;
    let routes = this._routes;
    try {
      routes = await this.client.routes(this._session);
    } catch (reason) {
      error = reason;
    }
    if (this.isDisposed || request !== this._requests) {
      return;
    }
    this._routes = routes;
    this._error = error;
    this.tree.setRoutes(routes?.routes ?? []);
    this.stateChanged.emit();
    await Promise.all([
      this.tree.refresh(),
      this.history.refresh(),
      this._file?.check()
    ]);
  }

  /** Something may have changed: fetch soon, or as soon as it is to be seen. */
  invalidate(): void {
    if (this._isVisible && !this.isDisposed) {
      void this._stale.invoke();
    }
  }

  /** Lab's own list of kernels tells when code has run in a session of this project. */
  onKernels(kernels: readonly Kernel.IModel[]): void {
    let hasRun = false;
    for (const { id, last_activity, execution_state } of kernels) {
      if (this._sessions.some(session => session.id === id)) {
        const activity = `${last_activity ?? ''} ${execution_state ?? ''}`;
        hasRun ||= this._activity.get(id) !== activity;
        this._activity.set(id, activity);
      }
    }
    if (hasRun) {
      this.invalidate();
    }
  }

  private _onSessions(): void {
    const sessions = (this._all.sessions ?? []).filter(
      ({ endedAt, projectId }) => endedAt === null && projectId === this.projectId
    );
    const ids = sessions.map(session => session.id);
    if (ids.join() !== this._sessions.map(session => session.id).join()) {
      this._sessions = sessions;
      if (this._session === null || !ids.includes(this._session)) {
        this._session = ids[0] ?? null;
      }
      this.stateChanged.emit();
      this.invalidate();
    }
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    const { noun, data, projectId } = event;
    if (projectId !== this.projectId || ON_THE_WAY.includes(noun)) {
      return;
    }
    if (noun === 'memory') {
      this._warning = text(data.message);
      this.stateChanged.emit();
    }
    this.invalidate();
  }

  private readonly _stale: Debouncer;
  private readonly _activity = new Map<string, string>();
  private _routes: IRoutes | null = null;
  private _sessions: readonly ISession[] = [];
  private _session: string | null = null;
  private _file: FileModel | null = null;
  private _stage: Stage = 'nothing';
  private _error: unknown = null;
  private _warning = '';
  private _busy = '';
  private _isVisible = false;
  private _requests = 0;
  private _removals = 0;
  private _refreshed: Promise<unknown> = Promise.resolve();
}
