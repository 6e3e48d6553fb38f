import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { JSONRecord } from '../server/check';
import { holdCommands } from '../trust/guard';
import { fenced } from './text';

/** What `Rendered` shows, and how. */
export interface IRenderedProps {
  readonly rendermime: IRenderMimeRegistry;
  readonly mimeType: string;

  /** A mime bundle that has `mimeType`. */
  readonly data: JSONRecord;
  readonly metadata?: JSONRecord;

  /** Whether it may run scripts. */
  readonly trusted?: boolean;
}

/** Something that one of Lab's renderers draws, as in a notebook. */
export function Rendered(props: IRenderedProps): React.JSX.Element {
  const { rendermime, mimeType, data, metadata, trusted = false } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const renderer = React.useRef<MimeRenderer | null>(null);
  // Before the node leaves the page: a widget without one can't be disposed of.
  React.useLayoutEffect(() => {
    if (!node.current) {
      return;
    }
    // A renderer that has run scripts is not used again for what is not trusted.
    const made = new MimeRenderer(rendermime.createRenderer(mimeType), node.current);
    renderer.current = made;
    return () => {
      made.dispose();
    };
  }, [rendermime, mimeType, trusted]);
  React.useEffect(() => {
    renderer.current?.render({ data, metadata, trusted });
  }, [rendermime, mimeType, data, metadata, trusted]);
  return <div ref={node} className="jp-CognitionConversation-rendered" />;
}

/** Code, coloured by the renderer of Markdown. */
export function Code({
  rendermime,
  language,
  children
}: {
  readonly rendermime: IRenderMimeRegistry;
  readonly language: string;
  readonly children: string;
}): React.JSX.Element {
  const data = React.useMemo(
    () => ({ 'text/markdown': fenced(children, language) }),
    [children, language]
  );
  return (
    <div className="jp-CognitionConversation-code">
      <Rendered rendermime={rendermime} mimeType="text/markdown" data={data} />
    </div>
  );
}

/** What a renderer is given; compared by identity. */
interface IMimeContent {
  readonly data: JSONRecord;
  readonly metadata: JSONRecord | undefined;
  readonly trusted: boolean;
}

/** Draws one thing after the other; of what comes meanwhile only the newest. */
class MimeRenderer {
  constructor(
    private readonly _renderer: IRenderMime.IRenderer,
    node: HTMLElement
  ) {
    Widget.attach(_renderer, node);
    holdCommands(node, () => this._isTrusted);
  }

  dispose(): void {
    this._renderer.dispose();
  }

  render(content: IMimeContent): void {
    this._next = content;
    if (!this._isBusy) {
      this._isBusy = true;
      void this._renderAll();
    }
  }

  private async _renderAll(): Promise<void> {
    while (this._next && !this._renderer.isDisposed) {
      const { data, metadata, trusted } = this._next;
      this._next = null;
      this._isTrusted = trusted;
      const model = new MimeModel({
        // They came as JSON.
        data: data as ReadonlyPartialJSONObject,
        metadata: metadata as ReadonlyPartialJSONObject | undefined,
        trusted
      });
      try {
        await this._renderer.renderModel(model);
        describeImage(this._renderer.node, data);
      } catch {
        // Whatever a bundle holds must not end the conversation.
        this._renderer.node.textContent = '⚠';
      }
    }
    this._isBusy = false;
  }

  private _next: IMimeContent | null = null;
  private _isTrusted = false;
  private _isBusy = false;
}

/** Give an image the words that its bundle has for it; Lab's renderer gives it none. */
function describeImage(node: HTMLElement, data: JSONRecord): void {
  const plain = data['text/plain'];
  for (const image of node.querySelectorAll(':scope > img:not([alt])')) {
    image.setAttribute('alt', typeof plain === 'string' ? plain.slice(0, 200) : '');
  }
}
