import * as React from 'react';

/** Rows that are made above and below what is in view. */
const SPARE = 5;

/** Until a row was measured, in pixels. */
const ROW_HEIGHT = 60;

/** What can be done with a grid from outside of it. */
export interface IGrid {
  /** Move the focus to the row that had it last, else to the first. */
  focus(): void;
}

/**
 * A list of rows of the same height that makes only those in view, with one stop of the Tab key.
 *
 * The arrow keys, Home, End and the page keys move the focus from row to row. The row that has or
 * had the focus is always there, so that scrolling does not lose it.
 */
export const Grid = React.forwardRef<IGrid, Grid.IProps>(function Grid(props, ref) {
  const { ids, label, onKeyDown, onMenu, onView, renderRow } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const [view, setView] = React.useState({ top: 0, height: 0, row: ROW_HEIGHT });
  const [active, setActive] = React.useState<string | null>(null);
  const wantsFocus = React.useRef(false);
  const hasFocus = React.useRef(false);
  const lastIndex = React.useRef(0);

  const activeIndex = Math.max(active === null ? 0 : ids.indexOf(active), 0);
  const first = Math.max(Math.floor(view.top / view.row) - SPARE, 0);
  const last = Math.min(
    Math.ceil((view.top + view.height) / view.row) + SPARE,
    ids.length
  );
  const inView = ids.slice(first, last);
  const key = inView.join();

  React.useEffect(() => {
    onView(inView);
  }, [key]);

  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (!node) {
      return;
    }
    const measure = (): void => {
      const any = node.querySelector<HTMLElement>('[role="row"]');
      // Nothing has a height while the panel is hidden.
      const row = Math.max(any?.offsetHeight ?? ROW_HEIGHT, 1);
      setView(({ top }) => ({ top, height: node.clientHeight, row }));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => {
      observer.disconnect();
    };
  }, [ids.length === 0]);

  const rowNode = (id: string): HTMLElement | null =>
    scroller.current?.querySelector<HTMLElement>(`[data-project-id="${id}"]`) ?? null;

  React.useLayoutEffect(() => {
    if (wantsFocus.current && active !== null) {
      wantsFocus.current = false;
      rowNode(active)?.focus({ preventScroll: true });
    }
  });

  /** Move the focus to a row, and the row into view. */
  const goTo = (index: number): void => {
    const node = scroller.current;
    const to = Math.min(Math.max(index, 0), ids.length - 1);
    const id = ids[to];
    if (!node || id === undefined) {
      return;
    }
    const [top, bottom] = [to * view.row, (to + 1) * view.row];
    if (top < node.scrollTop) {
      node.scrollTop = top;
    } else if (bottom > node.scrollTop + node.clientHeight) {
      node.scrollTop = bottom - node.clientHeight;
    }
    wantsFocus.current = true;
    setActive(id);
    // The state does not change, and nothing is rendered, when the row was active before.
    rowNode(id)?.focus({ preventScroll: true });
  };

  // Who deletes a row goes on with the next, and not at the top of the page.
  React.useLayoutEffect(() => {
    const isGone = active !== null && !ids.includes(active);
    if (isGone && hasFocus.current && document.activeElement === document.body) {
      goTo(lastIndex.current);
    } else {
      lastIndex.current = activeIndex;
    }
  }, [ids]);

  React.useImperativeHandle(ref, () => ({
    focus: () => {
      goTo(activeIndex);
    }
  }));

  const page = Math.max(Math.floor(view.height / view.row) - 1, 1);
  const steps: Record<string, number> = {
    ArrowDown: activeIndex + 1,
    ArrowUp: activeIndex - 1,
    PageDown: activeIndex + page,
    PageUp: activeIndex - page,
    Home: 0,
    End: ids.length - 1
  };

  const shown = [...inView.entries()].map(([i, id]) => [first + i, id] as const);
  const activeId = ids[activeIndex];
  if (activeId !== undefined && (activeIndex < first || activeIndex >= last)) {
    shown.push([activeIndex, activeId]);
  }
  return (
    <div
      ref={scroller}
      className="jp-CognitionProjects-scroller"
      onScroll={event => {
        const { scrollTop } = event.currentTarget;
        setView(old => ({ ...old, top: scrollTop }));
      }}
    >
      <div
        role="grid"
        aria-label={label}
        aria-rowcount={ids.length}
        className="jp-CognitionProjects-grid"
        style={{ height: ids.length * view.row }}
        onKeyDown={event => {
          const to = steps[event.key];
          const isOnRow = (event.target as Element).getAttribute('role') === 'row';
          if (to !== undefined) {
            event.preventDefault();
            goTo(to);
          } else if (activeId !== undefined && isOnRow) {
            onKeyDown(activeId, event);
          }
        }}
        onContextMenu={event => {
          const row = (event.target as Element).closest<HTMLElement>('[role="row"]');
          const id = row?.dataset.projectId;
          if (!row || id === undefined) {
            return;
          }
          event.preventDefault();
          // Lab has a menu of its own for the page.
          event.stopPropagation();
          setActive(id);
          // A key of the keyboard may give no place.
          const { bottom, left } = row.getBoundingClientRect();
          const isKey = event.clientX === 0 && event.clientY === 0;
          onMenu(id, isKey ? left : event.clientX, isKey ? bottom : event.clientY);
        }}
        onBlur={event => {
          // It goes nowhere when its row is no more, or when the window loses it.
          hasFocus.current =
            event.relatedTarget === null ||
            event.currentTarget.contains(event.relatedTarget);
        }}
        onFocus={event => {
          hasFocus.current = true;
          const row = (event.target as Element).closest<HTMLElement>('[role="row"]');
          setActive(row?.dataset.projectId ?? null);
        }}
      >
        {shown.map(([index, id]) => (
          <div
            key={id}
            role="row"
            className="jp-CognitionProjects-row"
            data-project-id={id}
            aria-rowindex={index + 1}
            tabIndex={index === activeIndex ? 0 : -1}
            style={{ transform: `translateY(${(index * view.row).toString()}px)` }}
          >
            {renderRow(id)}
          </div>
        ))}
      </div>
    </div>
  );
});

/** A namespace for `Grid` statics. */
export namespace Grid {
  /** The properties of `Grid`. */
  export interface IProps {
    readonly label: string;
    readonly ids: readonly string[];

    /** The cells of a row. */
    readonly renderRow: (id: string) => React.JSX.Element;

    /** Called when other rows are in view than before. */
    readonly onView: (ids: readonly string[]) => void;

    /** Called when the menu of a row is asked for, at a place in the window. */
    readonly onMenu: (id: string, x: number, y: number) => void;

    /** Called for keys on a row that do not move the focus. */
    readonly onKeyDown: (id: string, event: React.KeyboardEvent) => void;
  }
}
