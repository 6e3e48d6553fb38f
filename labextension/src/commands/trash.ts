import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { deleteIcon, undoIcon } from '@jupyterlab/ui-components';

import { guarded } from '../failure';
import { deleteProject, restoreProject } from '../server/changes';
import type { IProject } from '../server/projects';
import { RefusedError } from '../server/request';
import type { ICommandContext } from './context';
import { addProjectCommand } from './context';
import { CommandIDs } from './ids';

/** How long a deletion can be undone from its notification, in milliseconds. */
const UNDO_SHOWN = 20_000;

/** What a deletion is refused for, unless it is forced. */
const FORCEABLE = ['active_sessions', 'memory_not_kept'];

/** Add the commands that move projects to the trash, out of it, and away. */
export function addTrashCommands(context: ICommandContext): void {
  const { settings, trans } = context.projects;

  addProjectCommand(context, CommandIDs.delete, {
    label: project =>
      project?.status === 'trashed'
        ? trans.__('Delete Project Permanently…')
        : trans.__('Delete Project'),
    icon: deleteIcon,
    failed: trans.__('The project could not be deleted'),
    isFor: () => true,
    run: project =>
      project.status === 'trashed'
        ? deletePermanently(context, project)
        : moveToTrash(context, project)
  });

  addProjectCommand(context, CommandIDs.restore, {
    label: () => trans.__('Restore Project'),
    icon: undoIcon,
    failed: trans.__('The project could not be restored'),
    isFor: project => project.status === 'trashed',
    asksForTrashed: true,
    run: async ({ id }) => {
      await restoreProject(settings, id);
      Notification.success(trans.__('%1 is back from the trash.', id));
    }
  });
}

async function moveToTrash(
  context: ICommandContext,
  { id }: IProject
): Promise<void> {
  const { settings, trans } = context.projects;
  try {
    await deleteProject(settings, id);
  } catch (error) {
    if (!(error instanceof RefusedError && FORCEABLE.includes(error.code))) {
      throw error;
    }
    const isSure = await confirmed(
      trans.__('Delete %1?', id),
      error.code === 'active_sessions'
        ? trans.__('It has live sessions. Their memory is kept with the project.')
        : error.message,
      error.code === 'active_sessions'
        ? trans.__('Shut Down Sessions and Delete')
        : trans.__('Delete Anyway')
    );
    if (!isSure) {
      return;
    }
    await deleteProject(settings, id, { force: true });
  }
  const notification = Notification.success(
    trans.__('%1 was moved to the trash.', id),
    {
      autoClose: UNDO_SHOWN,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () => {
            Notification.dismiss(notification);
            const failed = trans.__('The project could not be restored');
            void guarded(context.projects, failed, () => restoreProject(settings, id));
          }
        }
      ]
    }
  );
}

async function deletePermanently(
  context: ICommandContext,
  { id }: IProject
): Promise<void> {
  const { settings, trans } = context.projects;
  const isSure = await confirmed(
    trans.__('Delete %1 permanently?', id),
    trans.__('Its files, memory and history are deleted. This can not be undone.'),
    trans.__('Delete Permanently')
  );
  if (isSure) {
    await deleteProject(settings, id, { permanent: true });
    Notification.success(trans.__('%1 was deleted permanently.', id));
  }
}

async function confirmed(
  title: string,
  body: string,
  yes: string
): Promise<boolean> {
  const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label: yes })];
  const { button } = await showDialog({ title, body, buttons, defaultButton: 0 });
  return button.accept;
}
