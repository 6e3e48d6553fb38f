import { Dialog, MainAreaWidget, showDialog } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  closeIcon,
  listIcon,
  stopIcon,
  Toolbar,
  ToolbarButton
} from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { chatIcon } from '../icons';
import { shortId } from '../model/words';
import type { IProjects } from '../tokens';
import { ChatModel } from './model';
import { ChatView } from './view';

/** What `ChatWidget` needs. */
export interface IChatOptions {
  readonly projectId: string;
  readonly projects: IProjects;
  readonly rendermime: IRenderMimeRegistry;
}

/** A project's chat in the main area. */
export class ChatWidget extends MainAreaWidget<ChatView> {
  constructor({ projectId, projects, rendermime }: IChatOptions) {
    const { events, settings, trans } = projects;
    const model = new ChatModel(settings, events, projectId);
    super({ content: new ChatView(model, rendermime, trans) });
    this.id = `cognition-chat-${projectId}`;
    this.title.label = trans.__('Chat in %1', projectId);
    this.title.caption = this.title.label;
    this.title.icon = chatIcon;
    this.title.closable = true;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.label);
    this._fillToolbar(model, trans);
    window.addEventListener('online', this._retry);
  }

  get model(): ChatModel {
    return this.content.model;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      window.removeEventListener('online', this._retry);
      const { model } = this;
      super.dispose();
      model.dispose();
    }
  }

  private _fillToolbar(model: ChatModel, trans: TranslationBundle): void {
    const leave = new ToolbarButton({
      icon: listIcon,
      tooltip: trans.__('Choose another session'),
      onClick: () => {
        model.leave();
      }
    });
    const cancel = new ToolbarButton({
      icon: stopIcon,
      label: trans.__('Cancel'),
      tooltip: trans.__('Cancel the turn that runs, and those that wait'),
      onClick: () => {
        model.cancel();
      }
    });
    const shutDown = new ToolbarButton({
      icon: closeIcon,
      label: trans.__('Shut Down Session'),
      tooltip: trans.__('Shut down this session and its kernel'),
      onClick: () => void confirmShutDown(model, trans)
    });
    const session = new Widget({ node: document.createElement('span') });
    session.addClass('jp-CognitionChat-sessionName');
    this.toolbar.addItem('sessions', leave);
    this.toolbar.addItem('cancel', cancel);
    this.toolbar.addItem('shut-down', shutDown);
    this.toolbar.addItem('spacer', Toolbar.createSpacerItem());
    this.toolbar.addItem('session', session);
    this.toolbar.node.setAttribute('aria-label', trans.__('Chat toolbar'));
    const update = (): void => {
      leave.enabled = model.sessionId !== null;
      cancel.enabled = model.canCancel;
      shutDown.enabled = model.state === 'live';
      session.node.textContent =
        model.sessionId === null
          ? trans.__('no session')
          : trans.__('session %1', shortId(model.sessionId));
    };
    model.stateChanged.connect(update, this);
    update();
  }

  private readonly _retry = (): void => {
    this.model.retry();
  };
}

async function confirmShutDown(model: ChatModel, trans: TranslationBundle): Promise<void> {
  const { button } = await showDialog({
    title: trans.__('Shut down this session?'),
    body: trans.__(
      'What its code holds in variables is lost. Files, memory and the conversation stay.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Shut Down Session') })
    ]
  });
  if (button.accept && model.state === 'live') {
    model.close();
  }
}
