import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { notTrustedIcon, trustedIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { isUsable } from '../commands/context';
import { CommandIDs } from '../commands/ids';
import { guarded } from '../failure';
import { setTrust } from '../server/trust';
import type { IProjects } from '../tokens';
import type { TrustModel } from './model';

/** Add the command that trusts a project, or no longer; `current` is that of the view in front. */
export function addTrustCommand(
  commands: CommandRegistry,
  projects: IProjects,
  model: TrustModel,
  current: () => string | null
): void {
  const { model: list, settings, trans } = projects;
  const idOf = (args: { project_id?: unknown }): string | null =>
    typeof args.project_id === 'string' ? args.project_id : current();
  const isTrusted = (args: object): boolean => {
    const id = idOf(args);
    if (id === null) {
      return false;
    }
    const trust = model.ofProject(id);
    // The menu is open before the first answer is there: until then the list is good enough.
    return trust === 'unknown' ? list.project(id)?.trusted === true : trust === 'trusted';
  };
  model.changed.connect(() => {
    commands.notifyCommandChanged(CommandIDs.trust);
  });
  commands.addCommand(CommandIDs.trust, {
    label: args =>
      isTrusted(args) ? trans.__('Stop Trusting Project…') : trans.__('Trust Project…'),
    caption: trans.__('Say whether outputs of the project may run scripts'),
    icon: args => (isTrusted(args) ? trustedIcon : notTrustedIcon),
    isEnabled: args => idOf(args) !== null,
    isVisible: args => {
      const project = list.project(idOf(args) ?? '');
      return project === undefined || isUsable(project);
    },
    describedBy: {
      args: {
        type: 'object',
        properties: {
          project_id: {
            type: 'string',
            description: 'Id of the project; that of the view in front when it is missing'
          }
        }
      }
    },
    execute: async args => {
      const id = idOf(args);
      if (id === null) {
        return;
      }
      await model.refresh(id);
      const trusted = !isTrusted({ project_id: id });
      if (!(await confirm(id, trusted, trans))) {
        return;
      }
      const failed = trans.__('The trust of the project could not be changed');
      await guarded(projects, failed, () => setTrust(settings, id, trusted));
      await model.refresh(id);
    }
  });
}

async function confirm(
  id: string,
  trusted: boolean,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = trusted
    ? await showDialog({
        title: trans.__('Trust the project %1?', id),
        body: trans.__(
          'Outputs of its notebooks and consoles may then run scripts in this page, which can do all that you can: with your other projects, and with this server. Trust it only if you know where it comes from.'
        ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Trust Project') })
        ],
        defaultButton: 0
      })
    : await showDialog({
        title: trans.__('Stop trusting the project %1?', id),
        body: trans.__(
          'Its outputs are shown without scripts from now on. What has run already ends when you reload the page.'
        ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.okButton({ label: trans.__('Stop Trusting') })
        ]
      });
  return button.accept;
}
