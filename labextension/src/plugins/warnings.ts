import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { CommandIDs } from '../commands/ids';
import { isDueSoon, timeUntil } from '../model/words';
import type { IServerEvent } from '../server/events';
import { IPanelSettings, IProjects } from '../tokens';

/** What puts cleanup off, or can't be undone by putting it off: no reason to warn any more. */
const ENDS = [
  'project changed',
  'project deleted',
  'project extended',
  'project trashed',
  'session started'
];

/** Tells the user what will be cleaned up, and lets them keep it. */
export const warningsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cognition-jupyter:warnings',
  description: 'Warns of projects that will be cleaned up.',
  autoStart: true,
  requires: [IProjects, IPanelSettings],
  activate: (
    app: JupyterFrontEnd,
    projects: IProjects,
    settings: IPanelSettings
  ) => {
    const { trans } = projects;
    /** What is on the screen, by project. */
    const shown = new Map<string, string>();

    /** The day on which a project was warned of: once a day, as the server does. */
    const warned = new Map<string, string>();
    const today = (): string => new Date().toISOString().slice(0, 10);
    let mayHaveMissed = true;

    const dismiss = (id: string): void => {
      const notification = shown.get(id);
      if (notification !== undefined) {
        shown.delete(id);
        Notification.dismiss(notification);
      }
    };
    const keep = (id: string, command: string, args: object) => (): void => {
      void app.commands.execute(command, { ...args, project_id: id });
    };
    const warn = (id: string, cleanupAt: string): void => {
      const days = settings.extendDays;
      const message = trans.__(
        '%1 goes to the trash %2 unless it is used, extended or pinned.',
        id,
        timeUntil(cleanupAt, Date.now())
      );
      warned.set(id, today());
      dismiss(id);
      shown.set(
        id,
        Notification.warning(message, {
          autoClose: false,
          actions: [
            {
              label: trans._n('Extend by %1 day', 'Extend by %1 days', days),
              callback: keep(id, CommandIDs.extend, { days })
            },
            {
              label: trans.__('Pin'),
              callback: keep(id, CommandIDs.pin, { pin: true })
            }
          ]
        })
      );
    };
    projects.events.happened.connect((_: unknown, event: IServerEvent) => {
      const { action, data, noun, projectId } = event;
      if (projectId === null) {
        return;
      }
      if (noun === 'cleanup' && action === 'warning') {
        warn(projectId, String(data.cleanup_at));
      } else if (ENDS.includes(`${noun} ${action}`)) {
        dismiss(projectId);
      }
    });

    /** The server warns once, and often at night: tell who was not there then. */
    const catchUp = (): void => {
      const { error, list } = projects.model;
      if (!mayHaveMissed || error || !list) {
        return;
      }
      mayHaveMissed = false;
      for (const project of list.projects) {
        const { cleanupAt, id, status } = project;
        if (
          status === 'idle' &&
          cleanupAt !== null &&
          isDueSoon(project, Date.now(), settings.warningDays) &&
          warned.get(id) !== today()
        ) {
          warn(id, cleanupAt);
        }
      }
    };
    projects.events.connected.connect(() => {
      mayHaveMissed = true;
    });
    projects.model.stateChanged.connect(catchUp);
    catchUp();
  }
};
