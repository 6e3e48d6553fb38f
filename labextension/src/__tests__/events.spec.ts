import { describe, expect, it, jest } from '@jest/globals';

import type { IServerEvent } from '../server/events';
import { ServerEvents } from '../server/events';
import { connection, json, Socket } from './support';

describe('ServerEvents', () => {
  it('tells our events and leaves out those of others', async () => {
    const events = new ServerEvents(connection(() => json({})));
    const seen: IServerEvent[] = [];
    events.happened.connect((_, event) => seen.push(event));
    const socket = await Socket.last();
    expect(socket.url).toBe('ws://localhost:8888/user/ada/api/events/subscribe');
    socket.says({ schema_id: 'https://example.org/other', action: 'failed' });
    socket.happens('session', { action: 'started', project_id: 'a-00000001' });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      noun: 'session',
      action: 'started',
      projectId: 'a-00000001'
    });
    events.dispose();
    socket.happens('session', { action: 'ended' });
    expect(seen).toHaveLength(1);
  });

  it('tells when the stream comes and goes, and comes back by itself', async () => {
    const old = Socket.made.at(-1);
    const events = new ServerEvents(connection(() => json({})));
    const told: string[] = [];
    events.connected.connect(() => told.push('connected'));
    events.disconnected.connect(() => told.push('disconnected'));
    const first = await Socket.last(old);
    expect(events.isConnected).toBe(false);
    first.open();
    expect(events.isConnected).toBe(true);
    first.close();
    first.close();
    expect(told).toEqual(['connected', 'disconnected']);
    const second = await Socket.last(first);
    second.open();
    expect(told).toEqual(['connected', 'disconnected', 'connected']);
    events.dispose();
    const late = jest.fn();
    events.disconnected.connect(late);
    second.close();
    expect(late).not.toHaveBeenCalled();
  }, 15_000);
});
