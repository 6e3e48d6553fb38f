import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Rendered } from '../conversation/rendered';
import type { IFigure } from './figures';
import type { ILook } from './plots';
import { withLook } from './plots';

/** What Lab's renderer of Vega-Lite is known by, the newest first. */
const MIME_TYPES = [
  'application/vnd.vegalite.v6+json',
  'application/vnd.vegalite.v5+json'
];

/** No menu on each plot, and sharp on every screen. */
const EMBED_OPTIONS = { actions: false, renderer: 'svg' } as const;

/** A change of width that is worth another plot, in pixels. */
const STEP = 8;

/** What plots are shown with. */
export interface IPlotContext {
  readonly rendermime: IRenderMimeRegistry;
  readonly trans: TranslationBundle;
  readonly look: Omit<ILook, 'width'>;
}

/** A figure: its plot, and the same as a table for who can't see it. */
export function FigureView({
  figure,
  context
}: {
  readonly figure: IFigure;
  readonly context: IPlotContext;
}): React.JSX.Element {
  const { name, title, summary, plot } = figure;
  const { rendermime, trans } = context;
  const mimeType = MIME_TYPES.find(type => rendermime.mimeTypes.includes(type));
  return (
    <section className="jp-CognitionOverview-figure" data-figure={name}>
      <h3>{title}</h3>
      <p className="jp-CognitionOverview-summary">{summary}</p>
      {plot === null ? (
        <p className="jp-CognitionOverview-nothing">{trans.__('Nothing yet.')}</p>
      ) : (
        <>
          {mimeType !== undefined && (
            <div role="img" aria-label={trans.__('Plot: %1. %2', title, summary)}>
              <Plot plot={plot} mimeType={mimeType} context={context} />
            </div>
          )}
          <details open={mimeType === undefined}>
            <summary>{trans.__('As a table')}</summary>
            <FigureTable figure={figure} />
          </details>
        </>
      )}
    </section>
  );
}

/** A plot as wide as there is room. */
function Plot({
  plot,
  mimeType,
  context: { rendermime, look }
}: {
  readonly plot: NonNullable<IFigure['plot']>;
  readonly mimeType: string;
  readonly context: IPlotContext;
}): React.JSX.Element {
  const node = React.useRef<HTMLDivElement>(null);
  const [width, setWidth] = React.useState(0);
  React.useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const room = Math.floor((entry?.contentRect.width ?? 0) / STEP) * STEP;
      // None means hidden: then it stays as it is.
      setWidth(known => room || known);
    });
    if (node.current) {
      observer.observe(node.current);
    }
    return () => {
      observer.disconnect();
    };
  }, []);
  // Drawn again only when it is another one, and not at each answer of the server.
  const spec = JSON.stringify(withLook(plot, { ...look, width }));
  const content = React.useMemo(
    () => ({
      data: { [mimeType]: JSON.parse(spec) as unknown },
      // The renderer writes into its options.
      metadata: { [mimeType]: { embed_options: { ...EMBED_OPTIONS } } }
    }),
    [mimeType, spec]
  );
  return (
    // Each bar by itself would be a lot to listen to.
    <div ref={node} aria-hidden="true" className="jp-CognitionOverview-plot">
      {width > 0 && (
        <Rendered rendermime={rendermime} mimeType={mimeType} {...content} />
      )}
    </div>
  );
}

function FigureTable({
  figure: { columns, rows, title }
}: {
  readonly figure: IFigure;
}): React.JSX.Element {
  return (
    // What scrolls can be reached by keyboard.
    <div
      className="jp-CognitionOverview-tableScroll"
      role="region"
      aria-label={title}
      tabIndex={0}
    >
      <table>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([label, value], at) => (
            <tr key={at}>
              <th scope="row">{label}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Colours and font of Lab's theme as they are now. */
export function currentLook(): Omit<ILook, 'width'> {
  const style = getComputedStyle(document.body);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: value('--jp-ui-font-color1'),
    line: value('--jp-border-color1'),
    grid: value('--jp-border-color2'),
    accent: value('--jp-brand-color1'),
    font: value('--jp-ui-font-family'),
    fontSize: (Number.parseFloat(value('--jp-ui-font-size1')) || 13) - 2
  };
}
