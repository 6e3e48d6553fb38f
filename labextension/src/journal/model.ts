import type { ServerConnection } from '@jupyterlab/services';

import { Conversation } from '../conversation/model';
import { StateModel } from '../model/state';
import { getDetails } from '../server/details';
import type { IServerEvent, ServerEvents } from '../server/events';
import type { IJournalPage } from '../server/journal';
import { getEvents } from '../server/journal';
import { asError, RefusedError } from '../server/request';

/** How many events before the newest are asked for when the first are not kept any more. */
const NEWEST = 4096;

/** The number of no event: who asks for what comes after it learns which is the newest. */
const BEYOND = 1e15;

/** How many entries more are wanted of a session that goes on, by who has read all of it. */
const AHEAD = 100;

/** Which session a journal is of. */
export interface IJournalOf {
  readonly projectId: string;
  readonly sessionId: string;
}

/** The journal of a session, read page by page into a conversation. */
export class JournalModel extends StateModel {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    events: ServerEvents,
    readonly of: IJournalOf
  ) {
    super();
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
  }

  /** What was read so far. */
  readonly conversation = new Conversation();

  /** Whether its outputs may run scripts. */
  get isTrusted(): boolean {
    return this._isTrusted;
  }

  /** Whether there is more than was read. */
  get hasMore(): boolean {
    return this.conversation.lastSeq < this._lastSeq;
  }

  /** Whether the session's first events are not kept any more. */
  get isBeginningGone(): boolean {
    return this._isBeginningGone;
  }

  /** Whether somebody waits for more; a session that goes on is followed without a word. */
  get isLoading(): boolean {
    return this._loading !== null && !this._isFollowing;
  }

  /** Whether anything has been read, be it that there is nothing. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** Why the last page could not be read, or null. */
  get error(): Error | null {
    return this._error;
  }

  override dispose(): void {
    this.conversation.dispose();
    super.dispose();
  }

  /** How many entries are wanted, counted from the first. */
  get wanted(): number {
    return this._wanted;
  }

  /** Read until there are so many entries. Never rejects: a failure becomes `error`. */
  async read(wanted: number): Promise<void> {
    this._isFollowing = false;
    await this._readUpTo(wanted);
  }

  private async _readUpTo(wanted: number): Promise<void> {
    this._wanted = Math.max(wanted, this._wanted);
    this._loading ??= this._load().finally(() => {
      this._loading = null;
      this.stateChanged.emit();
    });
    this.stateChanged.emit();
    await this._loading;
  }

  private async _load(): Promise<void> {
    try {
      if (!this._isReady) {
        await this._askTrust();
      }
      let news: number;
      do {
        news = this._news;
        const page = await this._nextPage();
        for (const event of page.events) {
          this.conversation.push(event);
        }
        this._lastSeq = page.lastSeq;
        this._isReady = true;
        this._error = null;
        this.stateChanged.emit();
      } while (
        !this.isDisposed &&
        (this.hasMore ? this._count < this._wanted : news !== this._news)
      );
    } catch (reason) {
      this._error = asError(reason);
    }
  }

  /** How many entries there are or were. */
  private get _count(): number {
    return this.conversation.dropped + this.conversation.entries.length;
  }

  private async _nextPage(): Promise<IJournalPage> {
    const since = this.conversation.lastSeq;
    try {
      return await this._read(since);
    } catch (error) {
      if (since > 0 || !isGone(error)) {
        throw error;
      }
    }
    this._isBeginningGone = true;
    const { lastSeq } = await this._read(BEYOND);
    for (let back = NEWEST; back >= 1; back = Math.floor(back / 4)) {
      try {
        return await this._read(Math.max(0, lastSeq - back));
      } catch (error) {
        if (!isGone(error)) {
          throw error;
        }
      }
    }
    return { events: [], lastSeq: 0 };
  }

  private _read(since: number): Promise<IJournalPage> {
    const { projectId, sessionId } = this.of;
    return getEvents(this._settings, projectId, sessionId, since);
  }

  private async _askTrust(): Promise<void> {
    const request = ++this._lastRequest;
    const { trusted } = await getDetails(this._settings, this.of.projectId);
    // Answers can overtake each other, and news.
    if (request === this._lastRequest) {
      this._isTrusted = trusted;
      this.stateChanged.emit();
    }
  }

  private _refreshTrust(): void {
    this._askTrust().catch(() => {
      // Who is not known to be trusted is not.
      this._isTrusted = false;
      this.stateChanged.emit();
    });
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    const { action, noun, projectId, data } = event;
    if (projectId !== this.of.projectId) {
      return;
    }
    if ((noun === 'session' || noun === 'journal') && data.session_id === this.of.sessionId) {
      this._onNews();
    } else if (noun === 'project' && action === 'distrusted') {
      this._lastRequest += 1;
      this._isTrusted = false;
      this.stateChanged.emit();
    } else if (noun === 'project' && action === 'trusted') {
      this._refreshTrust();
    }
  }

  /** Events may have been missed. */
  private _onConnected(): void {
    this._refreshTrust();
    this._onNews();
  }

  /** Who has read all of it is shown what came since. */
  private _onNews(): void {
    this._news += 1;
    if (this._loading === null && this._isReady && !this.hasMore) {
      this._isFollowing = true;
      const isAllWanted = this._count <= this._wanted;
      void this._readUpTo(isAllWanted ? this._count + AHEAD : this._wanted);
    }
  }

  /** How often it was told that there is more; that also makes a page old that is on its way. */
  private _news = 0;

  /** Whether it is only read because the session goes on. */
  private _isFollowing = false;
  private _loading: Promise<void> | null = null;
  private _lastSeq = 0;
  private _wanted = 0;
  private _error: Error | null = null;
  private _isTrusted = false;
  private _lastRequest = 0;
  private _isBeginningGone = false;
  private _isReady = false;
}

function isGone(error: unknown): boolean {
  return error instanceof RefusedError && error.code === 'events_gone';
}
