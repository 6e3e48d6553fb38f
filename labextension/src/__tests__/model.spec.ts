import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Event } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';
import { Stream } from '@lumino/signaling';

import { NotEnabledError, UnexpectedAnswerError } from '../api';
import { SESSION_SCHEMA, SessionEvents } from '../events';
import { ProjectsModel } from '../model';

const PROJECT = {
  project_id: 'my-api-a7b3c2d1',
  user_prefix: 'my-api',
  description: 'Payments',
  active_sessions: 2,
  status: 'active',
  contents_path: 'workspaces/my-api-a7b3c2d1/repo'
};

const BROKEN = {
  project_id: 'old-00000000',
  description: '',
  active_sessions: 0,
  status: 'broken',
  reason: 'Its metadata is not JSON.',
  contents_path: null
};

/** Real connection settings, but `answer` stands for the network. */
function connection(
  answer: (url: string) => Response | Promise<Response>
): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    fetch: async request => answer((request as Request).url)
  });
}

function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status });
}

async function refreshed(
  answer: (url: string) => Response | Promise<Response>
): Promise<ProjectsModel> {
  const model = new ProjectsModel(connection(answer));
  await model.refresh();
  return model;
}

describe('ProjectsModel', () => {
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
          description: 'Payments',
          activeSessions: 2,
          contentsPath: 'workspaces/my-api-a7b3c2d1/repo',
          brokenReason: null
        },
        {
          id: 'old-00000000',
          description: '',
          activeSessions: 0,
          contentsPath: null,
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
    const model = new ProjectsModel(
      connection(() => new Promise(resolve => waiting.push(resolve)))
    );
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
});

describe('SessionEvents', () => {
  const stream = new Stream<Event.IManager, Event.Emission>(
    {} as Event.IManager
  );
  const onChanged = jest.fn();
  const onFailed = jest.fn();

  function listen(): SessionEvents {
    const events = { stream } as unknown as Event.IManager;
    return new SessionEvents({ events, onChanged, onFailed, delay: 10 });
  }

  const settled = (): Promise<void> =>
    new Promise(resolve => setTimeout(resolve, 50));

  afterEach(() => {
    jest.resetAllMocks();
  });

  it('reports a burst of events as one change', async () => {
    const listener = listen();
    stream.emit({ schema_id: SESSION_SCHEMA, action: 'ended' });
    stream.emit({ schema_id: SESSION_SCHEMA, action: 'started' });
    stream.emit({ schema_id: 'https://example.org/other', action: 'failed' });
    await settled();
    expect(onChanged).toHaveBeenCalledTimes(1);
    expect(onFailed).not.toHaveBeenCalled();
    listener.dispose();
  });

  it('reports why a session failed, until it is disposed', async () => {
    const failure = {
      schema_id: SESSION_SCHEMA,
      action: 'failed',
      message: 'There is no Docker engine.'
    };
    const listener = listen();
    stream.emit(failure);
    listener.dispose();
    stream.emit(failure);
    await settled();
    expect(onFailed.mock.calls).toEqual([['There is no Docker engine.']]);
    expect(onChanged).not.toHaveBeenCalled();
  });
});
