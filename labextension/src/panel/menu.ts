import { MenuSvg } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands/ids';

/** What the menu of a project offers, where there is a command for it; null is a line. */
const ITEMS = [
  CommandIDs.open,
  CommandIDs.newNotebook,
  CommandIDs.newConsole,
  null,
  CommandIDs.overview,
  CommandIDs.memory,
  CommandIDs.chat,
  null,
  CommandIDs.pin,
  CommandIDs.extend,
  CommandIDs.edit,
  CommandIDs.trust,
  null,
  CommandIDs.duplicate,
  CommandIDs.exportArchive,
  null,
  CommandIDs.restore,
  CommandIDs.delete
];

/** What can be done with a project. */
export class ProjectMenu extends MenuSvg {
  constructor(options: { readonly commands: CommandRegistry }) {
    super(options);
    this.addClass('jp-CognitionProjects-menu');
  }

  /** Open it for a project, at a place in the window. */
  openFor(projectId: string, x: number, y: number): void {
    this.clearItems();
    for (const command of ITEMS) {
      if (command === null) {
        this.addItem({ type: 'separator' });
      } else if (this.commands.hasCommand(command)) {
        this.addItem({ command, args: { project_id: projectId } });
      }
    }
    this.open(x, y);
  }
}
