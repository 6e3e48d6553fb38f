import { afterEach, describe, expect, it } from '@jest/globals';

import { FileModel } from '../memory/file';
import { MemoryModel } from '../memory/model';
import type { IRow } from '../memory/tree';
import { ServerEvents } from '../server/events';
import { MemoryClient } from '../server/memory';
import { SessionsModel } from '../sessions/model';
import { connection, json, Socket } from './support';

const PROJECT = 'my-api-a7b3c2d1';
const SESSION = 'c0ffee00-0000-4000-8000-000000000000';

/** A server that keeps files, as far as the view asks it. */
class FakeServer {
  readonly files = new Map<string, string>();
  readonly asked: string[] = [];
  sessions: string[] = [SESSION];
  snapshots: unknown[] = [];

  readonly settings = connection(async (url, request) => {
    const { pathname, searchParams } = new URL(url);
    const path = pathname.replace(`/user/ada/api/projects/${PROJECT}/`, '');
    if (path.endsWith('/api/projects/sessions')) {
      const rest = { project_id: PROJECT, started_at: '2026-11-27T08:00:00Z', ended_at: null };
      return json({ sessions: this.sessions.map(session_id => ({ session_id, ...rest })) });
    }
    this.asked.push(`${request.method} ${path}`);
    if (path === 'snapshots') {
      return json({ snapshots: this.snapshots });
    }
    if (path === 'memory') {
      const rest = { files: 1, bytes: 2, truncated: false, last_snapshot_at: null };
      const routes = [
        { prefix: '/memories/hot/', type: 'store', ...rest },
        { prefix: '/tmp/', type: 'state', ...rest }
      ];
      return json({ routes, hot_memory_limit: 1000 });
    }
    const name = path.replace(/^memory/, '');
    if (name.startsWith('/tmp/') && searchParams.get('session_id') !== SESSION) {
      return json({ message: 'Name a session.', error: 'session_required' }, 400);
    }
    return name.endsWith('/') ? this._list(name) : this._file(name, request);
  });

  private _list(directory: string): Response {
    const entries = new Map<string, unknown>();
    for (const path of this.files.keys()) {
      const [name, ...rest] = path.slice(directory.length).split('/');
      if (path.startsWith(directory) && name !== undefined) {
        const type = rest.length > 0 ? 'directory' : 'file';
        const size = type === 'file' ? (this.files.get(path)?.length ?? 0) : null;
        entries.set(name, { path: directory + name, name, type, size });
      }
    }
    return json({ path: directory, entries: [...entries.values()], truncated: false });
  }

  private async _file(path: string, request: Request): Promise<Response> {
    if (request.method === 'DELETE') {
      const within = [...this.files.keys()].filter(key => `${key}/`.startsWith(`${path}/`));
      within.forEach(key => this.files.delete(key));
      return within.length > 0
        ? new Response(null, { status: 204 })
        : json({ message: 'There is no such file.', error: 'file_not_found' }, 404);
    }
    const now = this.files.get(path);
    const etag = now === undefined ? null : quoted(now);
    if (request.method === 'PUT') {
      const match = request.headers.get('If-Match');
      const isTaken = request.headers.get('If-None-Match') !== null && now !== undefined;
      if (isTaken || (match !== null && match !== etag)) {
        return json({ message: 'It was changed.', error: 'precondition_failed' }, 412);
      }
      const text = await request.text();
      this.files.set(path, text);
      return new Response('{}', { headers: { ETag: quoted(text) } });
    }
    if (now === undefined || etag === null) {
      return json({ message: 'There is no such file.', error: 'file_not_found' }, 404);
    }
    return request.headers.get('If-None-Match') === etag
      ? new Response(null, { status: 304 })
      : new Response(now, {
          headers: { ETag: etag, 'Content-Length': now.length.toString() }
        });
  }
}

const quoted = (text: string): string => `"${encodeURIComponent(text)}"`;

const keys = (rows: readonly IRow[]): string[] => rows.map(row => row.key);

const soon = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 50));

afterEach(() => {
  Socket.made = [];
});

describe('FileModel', () => {
  const PATH = '/memories/hot/plan.md';

  async function opened(
    text: string
  ): Promise<{ server: FakeServer; file: FileModel }> {
    const server = new FakeServer();
    server.files.set(PATH, text);
    const file = new FileModel(new MemoryClient(server.settings, PROJECT), null, PATH);
    await file.load();
    return { server, file };
  }

  it('saves what was typed, with the line ends of the file', async () => {
    const { server, file } = await opened('one\r\n');
    expect(file.draft).toBe('one\n');
    file.draft = 'one\ntwo\n';
    expect(file.isDirty).toBe(true);
    expect(await file.save()).toBe(true);
    expect(file.isDirty).toBe(false);
    expect(server.files.get(PATH)).toBe('one\r\ntwo\r\n');
  });

  it('follows the server while nothing was typed', async () => {
    const { server, file } = await opened('one');
    let loads = 0;
    file.loaded.connect(() => (loads += 1));
    await file.check();
    expect(loads).toBe(0);
    server.files.set(PATH, 'two');
    await file.check();
    expect([loads, file.draft, file.conflict]).toEqual([1, 'two', null]);
  });

  it('overwrites nobody without being told to', async () => {
    const { server, file } = await opened('one');
    file.draft = 'mine';
    server.files.set(PATH, 'theirs');
    expect(await file.save()).toBe(false);
    expect([file.conflict, file.draft]).toEqual(['changed', 'mine']);
    expect(server.files.get(PATH)).toBe('theirs');
    expect(await file.save(true)).toBe(true);
    expect([file.conflict, server.files.get(PATH)]).toEqual([null, 'mine']);
  });

  it('tells of a conflict before saving, and reloads', async () => {
    const { server, file } = await opened('one');
    file.draft = 'mine';
    server.files.set(PATH, 'theirs');
    await file.check();
    expect([file.conflict, file.draft]).toEqual(['changed', 'mine']);
    await file.load();
    expect([file.conflict, file.draft, file.isDirty]).toEqual([null, 'theirs', false]);
  });

  it('keeps the text of a file that is removed, and saves it again', async () => {
    const { server, file } = await opened('one');
    server.files.delete(PATH);
    await file.check();
    expect([file.conflict, file.draft, file.shown.kind]).toEqual(['removed', 'one', 'text']);
    expect(await file.save()).toBe(false);
    expect(file.conflict).toBe('removed');
    expect(await file.save(true)).toBe(true);
    expect(server.files.get(PATH)).toBe('one');
  });

  it('loads no large files', async () => {
    const { file } = await opened('x'.repeat((1 << 20) + 1));
    expect(file.shown.kind).toBe('large');
  });

  it('says why it can not be read', async () => {
    const { server } = await opened('one');
    const client = new MemoryClient(server.settings, PROJECT);
    const file = new FileModel(client, null, '/memories/hot/none');
    await file.load();
    expect(file.shown).toMatchObject({
      kind: 'failed',
      error: { message: 'There is no such file.' }
    });
    file.dispose();
  });
});

describe('MemoryModel', () => {
  async function made(): Promise<{
    server: FakeServer;
    sessions: SessionsModel;
    model: MemoryModel;
  }> {
    const server = new FakeServer();
    const { settings } = server;
    const events = new ServerEvents(settings);
    const sessions = new SessionsModel(settings, events, 10);
    await sessions.refresh();
    return { server, sessions, model: new MemoryModel(settings, events, sessions, PROJECT, 10) };
  }

  it('lists a directory when it is opened, and again with everything else', async () => {
    const { server, model } = await made();
    server.files.set('/memories/hot/plans/10.md', '');
    server.files.set('/memories/hot/plans/9.md', '');
    server.files.set('/memories/hot/a.md', '');
    await model.refresh();
    expect(keys(model.tree.rows)).toEqual(['/memories/hot/', '/tmp/']);
    expect(server.asked).not.toContain('GET memory/memories/hot/');
    await model.tree.toggle('/memories/hot/');
    await model.tree.toggle('/memories/hot/plans');
    expect(keys(model.tree.rows)).toEqual([
      '/memories/hot/',
      '/memories/hot/plans',
      '/memories/hot/plans/9.md',
      '/memories/hot/plans/10.md',
      '/memories/hot/a.md',
      '/tmp/'
    ]);
    server.files.delete('/memories/hot/plans/9.md');
    await model.refresh();
    expect(keys(model.tree.rows)).not.toContain('/memories/hot/plans/9.md');
    await model.tree.toggle('/memories/hot/');
    expect(keys(model.tree.rows)).toEqual(['/memories/hot/', '/tmp/']);
    model.dispose();
  });

  it('opens all that a new file is in', async () => {
    const { server, model } = await made();
    server.files.set('/memories/hot/x/y/z.md', '');
    await model.refresh();
    await model.tree.reveal('/memories/hot/x/y/z.md');
    expect(model.tree.activeRow?.entry?.name).toBe('z.md');
    expect(model.tree.directory).toBe('/memories/hot/x/y/');
    model.tree.activateParent('/memories/hot/x');
    expect(model.tree.activeRow?.kind).toBe('route');
    model.dispose();
  });

  it('asks for nothing that it is removing', async () => {
    const { server, model } = await made();
    server.files.set('/memories/hot/plans/9.md', '');
    await model.refresh();
    await model.tree.toggle('/memories/hot/');
    await model.tree.toggle('/memories/hot/plans');
    await model.open('/memories/hot/plans/9.md');
    const asked = server.asked.length;
    const removed = model.remove('/memories/hot/plans');
    void model.refresh();
    await removed;
    const since = server.asked.slice(asked);
    expect(since[0]).toBe('DELETE memory/memories/hot/plans');
    expect(since.filter(request => request.includes('/plans'))).toHaveLength(1);
    expect(keys(model.tree.rows)).toEqual(['/memories/hot/', '/memories/hot///empty', '/tmp/']);
    expect(model.file).toBeNull();
    await expect(model.remove('/memories/hot/plans')).rejects.toThrow('There is no such file.');
    model.dispose();
  });

  it('shows the start of a long directory', async () => {
    const { server, model } = await made();
    for (let i = 0; i < 1100; i++) {
      server.files.set(`/memories/hot/${i.toString()}`, '');
    }
    await model.refresh();
    await model.tree.toggle('/memories/hot/');
    expect(model.tree.rows).toHaveLength(500 + 1 + 2);
    expect(model.tree.rows[501]?.note).toMatchObject({ kind: 'more', count: 600 });
    model.tree.showMore('/memories/hot/');
    model.tree.showMore('/memories/hot/');
    expect(model.tree.rows).toHaveLength(1100 + 2);
    model.dispose();
  });

  it("asks for private memory in the name of a session, while there's one", async () => {
    const { server, sessions, model } = await made();
    server.files.set('/tmp/a', '');
    await model.refresh();
    expect(model.session).toBe(SESSION);
    await model.tree.toggle('/tmp/');
    expect(keys(model.tree.rows)).toContain('/tmp/a');
    expect(model.sessionFor('/memories/hot/a')).toBeNull();
    server.sessions = [];
    await sessions.refresh();
    expect(model.tree.rows.at(-1)?.note).toEqual({ kind: 'no-session' });
    const asked = server.asked.length;
    await model.tree.refresh();
    expect(server.asked.slice(asked)).toEqual([]);
    model.dispose();
  });

  it('fetches while it is to be seen, when something has happened', async () => {
    const { server, model } = await made();
    const socket = await Socket.last();
    const happens = (noun: string, project_id: string, more = {}): void => {
      socket.happens(noun, { action: 'snapshot', project_id, ...more });
    };
    happens('memory', PROJECT);
    await soon();
    expect(server.asked).toEqual([]);
    model.isVisible = true;
    await soon();
    const once = server.asked.length;
    expect(once).toBeGreaterThan(0);
    happens('memory', 'other-00000001');
    happens('progress', PROJECT);
    await soon();
    expect(server.asked).toHaveLength(once);
    happens('memory', PROJECT, { message: 'Hot memory holds too much.' });
    happens('session', PROJECT);
    await soon();
    expect(server.asked).toHaveLength(2 * once);
    expect(model.warning).toBe('Hot memory holds too much.');
    socket.open();
    await soon();
    expect(server.asked).toHaveLength(3 * once);
    model.dispose();
  });

  it('fetches when code has run in one of its sessions', async () => {
    const { server, model } = await made();
    model.isVisible = true;
    await soon();
    const once = server.asked.length;
    const kernel = (id: string, last_activity: string): void => {
      model.onKernels([{ id, name: 'cognition', last_activity }]);
    };
    kernel('other', '10:00');
    kernel('other', '10:01');
    await soon();
    expect(server.asked).toHaveLength(once);
    kernel(SESSION, '10:02');
    await soon();
    expect(server.asked).toHaveLength(2 * once);
    kernel(SESSION, '10:02');
    await soon();
    expect(server.asked).toHaveLength(2 * once);
    kernel(SESSION, '10:03');
    await soon();
    expect(server.asked).toHaveLength(3 * once);
    model.dispose();
  });

  it('compares a snapshot with the one before that is whole', async () => {
    const { server, model } = await made();
    const row = (generation: number, damaged: string | null = null): unknown => ({
      generation,
      damaged
    });
    server.snapshots = [row(9), row(7, 'broken'), row(4)];
    await model.refresh();
    await model.history.select(9);
    expect(model.history.pair).toEqual({ from: 4, to: 9 });
    await model.history.select(4);
    expect(model.history.pair).toEqual({ from: null, to: 4 });
    expect(server.asked.filter(asked => asked.includes('diff'))).toHaveLength(1);
    model.dispose();
  });
});
