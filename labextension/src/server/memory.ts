import type { ServerConnection } from '@jupyterlab/services';

import {
  list,
  number,
  numberOrNull,
  record,
  requiredText,
  text,
  textOrNull
} from './check';
import { RefusedError, request, requestJSON } from './request';

/** A prefix of virtual paths and what is behind it; `files` and `bytes` are null when not known. */
export interface IRoute {
  readonly prefix: string;
  readonly type: 'filesystem' | 'store' | 'state';
  readonly files: number | null;
  readonly bytes: number | null;

  /** Whether there may be more than was counted. */
  readonly truncated: boolean;
  readonly lastSnapshotAt: string | null;
}

/** The routes of a project, and how many bytes its hot memory may hold. */
export interface IRoutes {
  readonly routes: readonly IRoute[];
  readonly hotLimit: number;
}

/** Something in a directory. */
export interface IEntry {
  /** Virtual and percent-encoded, since names need not be UTF-8. */
  readonly path: string;
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly size: number | null;
  readonly modifiedAt: string | null;
}

/** A directory; `truncated` when it holds more than the server lists. */
export interface IListing {
  readonly entries: readonly IEntry[];
  readonly truncated: boolean;
}

/** A file as it was read. */
export interface IContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string | null;
}

/** What a write expects: the file with that ETag, no file at all, or anything. */
export type Expected = { readonly etag: string } | 'nothing' | 'anything';

/** There is more in the file than was asked for. */
export class TooLargeError extends Error {
  constructor(readonly etag: string | null) {
    super();
  }
}

/**
 * The memory of one project over REST. Paths are percent-encoded; `sessionId` says whose `state`
 * is meant.
 *
 * The methods throw UnexpectedAnswerError and what `request` throws.
 */
export class MemoryClient {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    readonly projectId: string
  ) {}

  /** The routes, with what is in them; without private memory if that session has ended. */
  async routes(sessionId: string | null): Promise<IRoutes> {
    try {
      return await this._routes(sessionId);
    } catch (error) {
      const isMissing = error instanceof RefusedError && error.status === 404;
      if (sessionId === null || !isMissing) {
        throw error;
      }
      return this._routes(null);
    }
  }

  private async _routes(sessionId: string | null): Promise<IRoutes> {
    const body = record(
      await requestJSON(this._settings, {
        path: this._path('memory'),
        query: query(sessionId)
      })
    );
    return {
      routes: list(body.routes, parseRoute),
      hotLimit: number(body.hot_memory_limit)
    };
  }

  /** What is in a directory. */
  async listDirectory(path: string, sessionId: string | null): Promise<IListing> {
    const body = record(
      await requestJSON(this._settings, {
        path: this._path('memory'),
        // Without the slash a file of that name would come as it is.
        quotedPath: path.endsWith('/') ? path : `${path}/`,
        query: query(sessionId)
      })
    );
    return {
      entries: list(body.entries, parseEntry),
      truncated: body.truncated === true
    };
  }

  /**
   * A file; null when it still has that `etag`.
   *
   * @throws TooLargeError for more than `limit` bytes, before they are read.
   */
  async read(
    path: string,
    sessionId: string | null,
    { limit, etag = null }: { limit: number; etag?: string | null }
  ): Promise<IContent | null> {
    let response: Response;
    try {
      response = await request(this._settings, {
        path: this._path('memory'),
        quotedPath: path,
        query: query(sessionId),
        headers: etag === null ? {} : { 'If-None-Match': etag }
      });
    } catch (error) {
      if (error instanceof RefusedError && error.status === 304) {
        return null;
      }
      throw error;
    }
    const etagNow = response.headers.get('ETag');
    if (Number(response.headers.get('Content-Length') ?? 0) > limit) {
      await response.body?.cancel();
      throw new TooLargeError(etagNow);
    }
    return {
      bytes: new Uint8Array(await response.arrayBuffer()),
      etag: etagNow
    };
  }

  /** Put a file there as a whole; its new ETag. Refused with 412 when it is not as expected. */
  async write(
    path: string,
    sessionId: string | null,
    body: Blob | string,
    expected: Expected
  ): Promise<string | null> {
    const headers: Record<string, string> = {
      'Content-Type': 'application/octet-stream'
    };
    if (expected === 'nothing') {
      headers['If-None-Match'] = '*';
    } else if (expected !== 'anything') {
      headers['If-Match'] = expected.etag;
    }
    const response = await request(this._settings, {
      path: this._path('memory'),
      quotedPath: path,
      method: 'PUT',
      query: query(sessionId),
      body,
      headers
    });
    return response.headers.get('ETag');
  }

  /** Remove a file, or a directory with all that is in it. */
  async remove(path: string, sessionId: string | null): Promise<void> {
    await request(this._settings, {
      path: this._path('memory'),
      quotedPath: path,
      method: 'DELETE',
      query: query(sessionId)
    });
  }

  private _path(noun: string): string[] {
    return ['api', 'projects', this.projectId, noun];
  }
}

const query = (sessionId: string | null): Record<string, string | undefined> => ({
  session_id: sessionId ?? undefined
});

function parseRoute(value: unknown): IRoute {
  const route = record(value);
  const { type } = route;
  return {
    prefix: requiredText(route.prefix),
    type: type === 'store' || type === 'state' ? type : 'filesystem',
    files: numberOrNull(route.files),
    bytes: numberOrNull(route.bytes),
    truncated: route.truncated === true,
    lastSnapshotAt: textOrNull(route.last_snapshot_at)
  };
}

function parseEntry(value: unknown): IEntry {
  const entry = record(value);
  const { type } = entry;
  return {
    path: requiredText(entry.path),
    name: text(entry.name),
    type:
      type === 'file' || type === 'directory' || type === 'link' ? type : 'other',
    size: numberOrNull(entry.size),
    modifiedAt: textOrNull(entry.modified_at)
  };
}
