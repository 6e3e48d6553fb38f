import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ServerConnection } from '@jupyterlab/services';

import { ProjectsModel } from '../model/projects';
import { UnexpectedAnswerError } from '../server/check';
import { ServerEvents } from '../server/events';
import { NotEnabledError } from '../server/request';
import { connection, json, Socket } from './support';

const PROJECT = {
  project_id: 'my-api-a7b3c2d1',
  user_prefix: 'my-api',
  description: 'Payments',
  tags: ['work'],
  active_sessions: 2,
  status: 'active',
  pinned: true,
  cleanup_at: '2026-12-24T12:00:00.000000Z',
  last_accessed: '2026-11-24T12:00:00.000000Z',
  contents_path: 'workspaces/my-api-a7b3c2d1/repo',
            trusted: true
};

const BROKEN = {
  project_id: 'old-00000000',
  description: '',
  active_sessions: 0,
  status: 'broken',
  reason: 'Its metadata is not JSON.',
  contents_path: null
};

async function refreshed(
  answer: (url: string) => Response | Promise<Response>
): Promise<ProjectsModel> {
  const settings = connection(answer);
  const model = new ProjectsModel(settings, new ServerEvents(settings));
  await model.refresh();
  return model;
}

describe('ProjectsModel', () => {
  afterEach(() => {
    Socket.made = [];
  });

  it('asks below the base URL and keeps what the panel shows', async () => {
    const urls: string[] = [];
    const model = await refreshed(url => {
      urls.push(url.replace(/\?.*/, ''));
      return json({ projects: [PROJECT, BROKEN], total: 7 });
    });
    expect(urls).toEqual(['http://localhost:8888/user/ada/api/projects']);
    expect(model.error).toBeNull();
    expect(model.list).toEqual({
      projects: [
        {
          id: 'my-api-a7b3c2d1',
          prefix: 'my-api',
          description: 'Payments',
          tags: ['work'],
          activeSessions: 2,
          status: 'active',
          pinned: true,
          cleanupAt: '2026-12-24T12:00:00.000000Z',
          lastAccessed: '2026-11-24T12:00:00.000000Z',
          diskBytes: null,
          contentsPath: 'workspaces/my-api-a7b3c2d1/repo',
          trusted: true,
          brokenReason: null
        },
        {
          id: 'old-00000000',
          prefix: '',
          description: '',
          tags: [],
          activeSessions: 0,
          status: 'broken',
          pinned: false,
          cleanupAt: null,
          lastAccessed: null,
          diskBytes: null,
          contentsPath: null,
          trusted: false,
          brokenReason: 'Its metadata is not JSON.'
        }
      ],
      total: 7
    });
  });

  it.each([
    ['JSON', () => json({ message: 'Not Found', reason: null }, 404)],
    ['a page', () => new Response('<html></html>', { status: 404 })]
  ])("takes Jupyter's 404, %s, for a missing extension", async (_, answer) => {
    const model = await refreshed(answer);
    expect(model.error).toBeInstanceOf(NotEnabledError);
  });

  it("keeps the server's sentence", async () => {
    const body = { message: 'You may not list projects.', error: 'forbidden' };
    const model = await refreshed(() => json(body, 403));
    expect(model.error?.message).toBe('You may not list projects.');
  });

  it('has a sentence for an error without one', async () => {
    const model = await refreshed(() => new Response('', { status: 502 }));
    expect(model.error?.message).toContain('502');
  });

  it.each([
    ['not JSON', () => new Response('<html></html>')],
    ['no list', () => json({ projects: null })],
    ['no id', () => json({ projects: [{ description: '' }], total: 1 })]
  ])('refuses an answer that has %s', async (_, answer) => {
    const model = await refreshed(answer);
    expect(model.error).toBeInstanceOf(UnexpectedAnswerError);
  });

  it('keeps the last list while the server is away', async () => {
    let away = false;
    const model = await refreshed(() => {
      if (away) {
        throw new TypeError('Failed to fetch');
      }
      return json({ projects: [PROJECT], total: 1 });
    });
    away = true;
    await model.refresh();
    expect(model.error).toBeInstanceOf(ServerConnection.NetworkError);
    expect(model.list?.total).toBe(1);
    away = false;
    await model.refresh();
    expect(model.error).toBeNull();
  });

  it('drops an answer that a later one has overtaken', async () => {
    const waiting: ((response: Response) => void)[] = [];
    const settings = connection(
      () => new Promise(resolve => waiting.push(resolve))
    );
    const model = new ProjectsModel(settings, new ServerEvents(settings));
    const changes = jest.fn();
    model.stateChanged.connect(changes);
    const refreshes = [model.refresh(), model.refresh()];
    waiting[1]?.(json({ projects: [PROJECT], total: 1 }));
    waiting[0]?.(json({ projects: [], total: 0 }));
    await Promise.all(refreshes);
    expect(model.list?.total).toBe(1);
    expect(changes).toHaveBeenCalledTimes(1);
    model.dispose();
  });

  it('follows the events of the server, a burst as one, and only what lists show', async () => {
    const asked = jest.fn();
    const settings = connection(() => {
      asked();
      return json({ projects: [], total: 0 });
    });
    const model = new ProjectsModel(settings, new ServerEvents(settings), 10);
    const socket = await Socket.last();
    socket.happens('progress', { action: 'clone' });
    await settled();
    expect(asked).not.toHaveBeenCalled();
    socket.happens('session', { action: 'ended' });
    socket.happens('session', { action: 'started' });
    await settled();
    expect(asked).toHaveBeenCalledTimes(1);
    socket.open();
    await settled();
    expect(asked).toHaveBeenCalledTimes(2);
    model.dispose();
    socket.happens('session', { action: 'ended' });
    await settled();
    expect(asked).toHaveBeenCalledTimes(2);
  });
});

const settled = (): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, 50));
