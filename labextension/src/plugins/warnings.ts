import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { CommandIDs } from '../commands/ids';
import { timeUntil } from '../model/words';
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
    const warn = (id: string, message: string): void => {
      const days = settings.extendDays;
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
        warn(
          projectId,
          trans.__(
            '%1 goes to the trash %2 unless it is used, extended or pinned.',
            projectId,
            timeUntil(String(data.cleanup_at), Date.now())
          )
        );
      } else if (ENDS.includes(`${noun} ${action}`)) {
        dismiss(projectId);
      }
    });
  }
};
