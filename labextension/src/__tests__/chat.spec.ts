import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ChatModel } from '../chat/model';
import { ServerEvents } from '../server/events';
import { connection, json, Socket } from './support';

const PROJECT = 'my-api-a7b3c2d1';
const SESSION = '3f2a0000-0000-4000-8000-000000000000';

/** Numbered events of a session, as its journal has them. */
function journal(...events: Record<string, unknown>[]): Record<string, unknown>[] {
  return events.map((event, at) => ({
    seq: at + 1,
    time: '2026-11-24T12:00:00Z',
    session_id: SESSION,
    ...event
  }));
}

const started = { event: 'session_started', project_id: PROJECT, last_seq: 0 };
const ready = { event: 'agent_ready' };
const begin = (input: string): Record<string, unknown> => ({
  event: 'tool_start',
  tool: 'python',
  input
});
const print = (chunk: string): Record<string, unknown> => ({
  event: 'tool_output',
  tool: 'python',
  stream: 'stdout',
  chunk
});
const end = { event: 'tool_end', tool: 'python', exit_code: 0, artifacts: [] };
const done = { event: 'done' };
const waiting = (waits_for: unknown, is_waiting = true): Record<string, unknown> => ({
  event: 'turn_waiting',
  is_waiting,
  waits_for
});

/** A server whose session the test runs. */
class Place {
  endedAt: string | null = null;
  isAway = false;
  trusted: unknown = undefined;
  events: Record<string, unknown>[] = [];
  piece = 3;

  readonly settings = connection((url, request) => {
    if (this.isAway) {
      throw new TypeError('Failed to fetch');
    }
    const { pathname, searchParams } = new URL(url);
    expect(request.method).toBe('GET');
    const session = {
      session_id: SESSION,
      project_id: PROJECT,
      started_at: '2026-11-24T12:00:00Z',
      ended_at: this.endedAt,
      reason: this.endedAt && 'client'
    };
    switch (pathname.replace(`/user/ada/api/projects/${PROJECT}`, '')) {
      case '':
        return json({
          project_id: PROJECT,
          created_at: '2026-11-24T12:00:00Z',
          trusted: this.trusted,
          config: {},
          statistics: {},
          sessions: [session]
        });
      case `/sessions/${SESSION}`:
        return json(session);
      case `/sessions/${SESSION}/events`: {
        const since = Number(searchParams.get('since'));
        const events = this.events.slice(since, since + this.piece);
        return json({ events, last_seq: this.events.length });
      }
      default:
        return json({ message: 'No.', error: 'session_not_found' }, 404);
    }
  });
}

/** What a socket was sent. */
const sent = (socket: Socket): unknown[] =>
  socket.sent.map(message => JSON.parse(message) as unknown);

let place: Place;
let model: ChatModel;
let events: ServerEvents;

/** The newest socket for `/ws`, other than `after`. */
async function socketOf(after?: Socket): Promise<Socket> {
  return until(() => {
    const socket = Socket.made.filter(({ url }) => url.endsWith('/ws')).at(-1);
    return socket !== after ? socket : undefined;
  });
}

/** What `look` finds, within a few seconds. */
async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 500; i++) {
    const found = look();
    if (found !== undefined && found !== false) {
      return found;
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  throw new Error('It does not happen.');
}

/** A session that was started by a message. */
async function startedBy(code: string): Promise<Socket> {
  model.draft = code;
  model.send();
  const socket = await socketOf();
  socket.open();
  place.events = journal(started, ready);
  place.events.forEach(event => {
    socket.says(event);
  });
  return socket;
}

/** The journal goes on, and `socket` tells it. */
function happens(socket: Socket | null, ...more: Record<string, unknown>[]): void {
  const before = place.events.length;
  place.events = journal(...place.events, ...more);
  place.events.slice(before).forEach(event => socket?.says(event));
}

/** The server's welcome to a client that comes back, and what it has missed. */
function welcomes(socket: Socket): void {
  socket.open();
  const [join] = sent(socket) as { since?: number }[];
  const since = join?.since ?? place.events.length;
  socket.says({
    ...started,
    session_id: SESSION,
    last_seq: place.events.length
  });
  socket.says({ event: 'agent_ready', session_id: SESSION });
  place.events.slice(since).forEach(event => {
    socket.says(event);
  });
}

const kinds = (): string[] =>
  model.conversation.entries.map(entry =>
    entry.kind === 'notice' ? entry.notice : entry.kind
  );

const printed = (): string =>
  model.conversation.entries
    .flatMap(entry => (entry.kind === 'tool' ? entry.output : []))
    .map(({ text }) => text)
    .join('');

beforeEach(() => {
  place = new Place();
  events = new ServerEvents(place.settings);
  model = new ChatModel(place.settings, events, PROJECT, 5);
});

afterEach(() => {
  model.dispose();
  events.dispose();
  Socket.made = [];
});

describe('ChatModel', () => {
  it('starts a session with the first message, and sends it then', async () => {
    await until(() => model.sessions?.length === 1);
    expect([model.state, model.sessionId]).toEqual(['off', null]);
    const socket = await startedBy('1 + 1');
    expect(sent(socket)).toEqual([
      { type: 'create_session', project_id: PROJECT },
      { type: 'user_msg', session_id: SESSION, content: '1 + 1' }
    ]);
    expect([model.state, model.sessionId]).toEqual(['live', SESSION]);
    expect(model.pending).toMatchObject([{ content: '1 + 1', state: 'waiting' }]);
    happens(socket, begin('1 + 1'));
    expect(model.pending).toEqual([]);
    expect(model.canCancel).toBe(true);
    happens(socket, end, done);
    expect(kinds()).toEqual(['started', 'tool']);
    expect(model.canCancel).toBe(false);
  });

  it('knows that a turn waits for another session, until it goes on or ends', async () => {
    const socket = await startedBy('Look.');
    happens(socket, { event: 'user_message', content: 'Look.' });
    expect(model.conversation.waitsFor).toBeNull();
    happens(socket, waiting(null));
    expect([model.conversation.waitsFor, model.canCancel]).toEqual(['', true]);
    // A client that was away meanwhile knows it, too.
    socket.close();
    happens(null, waiting('third'));
    const again = await socketOf(socket);
    welcomes(again);
    expect([model.conversation.waitsFor, model.canCancel]).toEqual(['third', true]);
    happens(again, waiting(null, false));
    expect([model.conversation.waitsFor, model.canCancel]).toEqual([null, true]);
    // Cancelled, it ends without having gone on.
    happens(again, waiting('third'));
    model.cancel();
    expect(sent(again).at(-1)).toEqual({ type: 'cancel', session_id: SESSION });
    happens(again, { event: 'error', message: 'Cancelled.', code: 'cancelled' }, done);
    expect([model.conversation.waitsFor, model.canCancel]).toEqual([null, false]);
    expect(kinds()).toEqual(['started', 'user', 'error']);
  });

  it('gives a message back when no session can be had', async () => {
    model.draft = 'precious()';
    model.send();
    const socket = await socketOf();
    socket.open();
    socket.says({
      event: 'error',
      message: 'The engine does not answer.',
      code: 'runtime_unavailable'
    });
    expect(model.state).toBe('off');
    expect(model.error?.message).toBe('The engine does not answer.');
    expect(model.pending).toMatchObject([{ state: 'refused' }]);
    model.takeBack(model.pending[0]?.key ?? 0);
    expect([model.draft, model.pending]).toEqual(['precious()', []]);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'misses nothing and shows nothing twice when cut after %d events',
    async seen => {
      const socket = await startedBy('count()');
      const rest = [begin('count()'), print('1 '), print('2 '), print('3 '), end, done];
      happens(socket, ...rest.slice(0, seen));
      socket.close();
      expect(model.state).toBe('lost');
      happens(null, ...rest.slice(seen));
      const again = await socketOf(socket);
      welcomes(again);
      expect(sent(again)).toEqual([
        {
          type: 'create_session',
          project_id: PROJECT,
          session_id: SESSION,
          since: 2 + seen
        }
      ]);
      expect(model.state).toBe('live');
      expect([printed(), kinds()]).toEqual(['1 2 3 ', ['started', 'tool']]);
      expect(model.pending).toEqual([]);
    }
  );

  it('tries again until the server is back, and after that again', async () => {
    let socket = await startedBy('1');
    happens(socket, begin('1'), end, done);
    for (let i = 0; i < 2; i++) {
      place.isAway = true;
      socket.close();
      await new Promise(resolve => setTimeout(resolve, 50));
      expect([model.state, model.canSend]).toEqual(['lost', false]);
      place.isAway = false;
      const before = socket;
      socket = await socketOf(before);
      welcomes(socket);
      expect(model.state).toBe('live');
    }
  });

  it('leaves open what became of a message that was on its way', async () => {
    const socket = await startedBy('1');
    happens(socket, begin('1'));
    for (const code of ['2', '3']) {
      model.draft = code;
      model.send();
    }
    socket.close();
    happens(null, end, done, begin('2'));
    const again = await socketOf(socket);
    welcomes(again);
    expect(model.pending).toMatchObject([{ content: '3', state: 'unconfirmed' }]);
  });

  it('reads the rest of a session that ended meanwhile, and starts no other', async () => {
    const socket = await startedBy('count()');
    happens(socket, begin('count()'));
    socket.close();
    const rest = ['1', '2', '3', '4', '5'].map(print);
    happens(null, ...rest, { event: 'session_ended', reason: 'server_stopped' });
    place.endedAt = '2026-11-24T13:00:00Z';
    await until(() => model.state === 'off');
    expect(printed()).toBe('12345');
    expect(kinds()).toEqual(['started', 'tool', 'ended']);
    expect(await socketOf()).toBe(socket);

    model.draft = 'again()';
    model.send();
    const again = await socketOf(socket);
    again.open();
    happens(again, started, ready);
    expect(sent(again)).toEqual([
      {
        type: 'create_session',
        project_id: PROJECT,
        session_id: SESSION,
        since: 9
      },
      { type: 'user_msg', session_id: SESSION, content: 'again()' }
    ]);
    expect(model.state).toBe('live');
  });

  it('reads a session from its beginning, also one that was started twice', async () => {
    const life = [started, ready, begin('1'), print('1'), end, done];
    place.events = journal(...life, { event: 'session_ended', reason: 'client' }, ...life);
    const opened = model.open(SESSION);
    const socket = await socketOf();
    await opened;
    expect(model.state).toBe('joining');
    welcomes(socket);
    expect(model.state).toBe('live');
    expect(kinds()).toEqual(['started', 'tool', 'ended', 'started', 'tool']);
    expect(model.history).toEqual(['1']);
    happens(socket, { event: 'session_ended', reason: 'idle' });
    expect(model.state).toBe('off');
  });

  it('begins anew where the journal does not go back far enough', async () => {
    place.events = journal(started, ready);
    await model.open(SESSION);
    const socket = await socketOf();
    socket.open();
    socket.says({ ...started, session_id: SESSION, last_seq: 99 });
    socket.says({
      event: 'error',
      session_id: SESSION,
      code: 'events_gone',
      message: 'Gone.'
    });
    const again = await socketOf(socket);
    again.open();
    expect(sent(again)).toEqual([
      { type: 'create_session', project_id: PROJECT, session_id: SESSION }
    ]);
    again.says({ ...started, session_id: SESSION, last_seq: 99 });
    expect(model.state).toBe('live');
    again.says({ seq: 101, event: 'user_message', content: 'On.' });
    expect(model.conversation.entries).toMatchObject([{ content: 'On.' }]);
  });

  it('says which messages a cancelled turn took with it', async () => {
    const socket = await startedBy('sleep()');
    happens(socket, begin('sleep()'));
    model.draft = 'next()';
    model.send();
    model.cancel();
    expect(sent(socket).at(-1)).toEqual({ type: 'cancel', session_id: SESSION });
    happens(socket, end, { event: 'error', code: 'cancelled', message: 'Stopped.' }, done);
    expect(model.pending).toMatchObject([{ content: 'next()', state: 'refused' }]);
  });

  it('says which message was refused', async () => {
    const socket = await startedBy('1');
    for (const code of ['2', '3']) {
      model.draft = code;
      model.send();
    }
    socket.says({
      event: 'error',
      session_id: SESSION,
      code: 'busy',
      message: '32 messages wait already.'
    });
    expect(model.pending.map(({ state }) => state)).toEqual([
      'waiting',
      'waiting',
      'refused'
    ]);
  });

  it('leaves a session to itself and comes to another', async () => {
    const socket = await startedBy('1');
    model.leave();
    expect([model.state, model.sessionId, model.pending]).toEqual(['off', null, []]);
    happens(socket, begin('1'));
    expect(kinds()).toEqual([]);
  });

  it.each([
    [true, true],
    [undefined, false],
    ['true', false]
  ])('of a project whose trust is %j thinks %j', async (said, trusted) => {
    place.trusted = said;
    await model.refresh();
    expect(model.trusted).toBe(trusted);
  });
});
