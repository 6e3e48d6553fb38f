import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { duplicateIcon, editIcon } from '@jupyterlab/ui-components';

import { extendIcon, pinIcon } from '../icons';
import { showWork } from '../progress';
import { changeProject, duplicateProject, extendProject } from '../server/changes';
import { getDetails } from '../server/details';
import type { IProject } from '../server/projects';
import type { ICommandContext } from './context';
import { addProjectCommand } from './context';
import { openAction } from './create';
import { CommandIDs } from './ids';

/** Add the commands that change projects, or make others of them. */
export function addChangeCommands(context: ICommandContext): void {
  const { settings, trans } = context.projects;

  addProjectCommand(context, CommandIDs.pin, {
    label: project => {
      if (project === undefined) {
        return trans.__('Pin or Unpin Project');
      }
      return project.pinned ? trans.__('Unpin Project') : trans.__('Pin Project');
    },
    icon: pinIcon,
    failed: trans.__('The project could not be pinned or unpinned'),
    run: async (project, args) => {
      const pin = typeof args.pin === 'boolean' ? args.pin : !project.pinned;
      await extendProject(settings, project.id, { pin });
    }
  });

  addProjectCommand(context, CommandIDs.extend, {
    label: () => trans.__('Extend Project…'),
    icon: extendIcon,
    failed: trans.__('The project could not be extended'),
    run: async (project, args) => {
      const days =
        typeof args.days === 'number' ? args.days : await askDays(context, project);
      if (days !== null) {
        await extendProject(settings, project.id, { days });
      }
    }
  });

  addProjectCommand(context, CommandIDs.edit, {
    label: () => trans.__('Edit Project…'),
    icon: editIcon,
    failed: trans.__('The project could not be changed'),
    run: async project => {
      const details = await getDetails(settings, project.id);
      const { EditBody } = await import('../dialogs');
      const { button, value } = await showDialog({
        title: trans.__('Edit %1', project.id),
        body: new EditBody(details, trans),
        focusNodeSelector: 'input',
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Save') })]
      });
      const change = button.accept && value ? EditBody.change(details, value) : {};
      if (Object.keys(change).length > 0) {
        await changeProject(settings, project.id, change);
      }
    }
  });

  addProjectCommand(context, CommandIDs.duplicate, {
    label: () => trans.__('Duplicate Project…'),
    icon: duplicateIcon,
    failed: trans.__('The project could not be duplicated'),
    run: async project => {
      const { DuplicateBody } = await import('../dialogs');
      const { button, value } = await showDialog({
        title: trans.__('Duplicate %1', project.id),
        body: new DuplicateBody(project.prefix, trans),
        focusNodeSelector: 'input',
        buttons: [
          Dialog.cancelButton(),
          Dialog.okButton({ label: trans.__('Duplicate') })
        ]
      });
      if (button.accept && value) {
        duplicate(context, project, value.user_prefix ?? '', 'memory' in value);
      }
    }
  });
}

/** Ask for how long; null when the user does not say. */
async function askDays(
  { projects: { trans }, settings }: ICommandContext,
  project: IProject
): Promise<number | null> {
  const { button, value } = await InputDialog.getNumber({
    title: trans.__('Extend %1', project.id),
    label: trans.__('Days by which its cleanup is put off'),
    value: settings.extendDays,
    okLabel: trans.__('Extend')
  });
  return button.accept ? value : null;
}

function duplicate(
  context: ICommandContext,
  { id }: IProject,
  user_prefix: string,
  memory: boolean
): void {
  const { settings, trans } = context.projects;
  showWork(
    duplicateProject(settings, id, { user_prefix, memory }),
    {
      pending: trans.__('Duplicating %1…', id),
      done: copy => trans.__('%1 is a copy of %2.', copy.id, id),
      actions: [openAction(context)],
      failed: trans.__('The project could not be duplicated')
    },
    trans
  );
}
