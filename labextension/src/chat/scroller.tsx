import * as React from 'react';

/** Pixels from the end that still count as the end. */
const NEAR = 16;

/** Scrolls; stays at the end while things are added there, unless the user has scrolled away. */
export function Scroller({
  label,
  isBusy,
  isFollowing,
  toEnd,
  children
}: {
  readonly label: string;
  readonly isBusy: boolean;

  /** Whether it begins at the end. */
  readonly isFollowing: boolean;

  /** Words of the button that leads back to the end. */
  readonly toEnd: string;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const outer = React.useRef<HTMLDivElement>(null);
  const inner = React.useRef<HTMLDivElement>(null);
  const isAtEnd = React.useRef(isFollowing);
  const [isAway, setAway] = React.useState(false);
  const before = React.useRef({ top: 0, height: 0 });
  const scrollToEnd = React.useCallback(() => {
    outer.current?.scrollTo({ top: outer.current.scrollHeight });
  }, []);
  React.useEffect(() => {
    if (!outer.current || !inner.current) {
      return;
    }
    // Outputs are drawn later than they are added, and the view may become narrower.
    const observer = new ResizeObserver(() => {
      if (isAtEnd.current) {
        scrollToEnd();
      }
    });
    observer.observe(outer.current);
    observer.observe(inner.current);
    return () => {
      observer.disconnect();
    };
  }, [scrollToEnd]);
  return (
    <div className="jp-CognitionChat-scrolling">
      <div
        ref={outer}
        className="jp-CognitionChat-scroller"
        role="log"
        aria-label={label}
        aria-busy={isBusy}
        // Keys can scroll only what has the focus.
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          const { clientHeight, scrollHeight: height, scrollTop: top } = currentTarget;
          if (height - clientHeight - top <= NEAR) {
            isAtEnd.current = true;
          } else if (top < before.current.top && height >= before.current.height) {
            // It was the user: not that something was added before this was told, nor taken away.
            isAtEnd.current = false;
          }
          before.current = { top, height };
          setAway(!isAtEnd.current);
        }}
      >
        <div ref={inner} className="jp-CognitionChat-content">
          {children}
        </div>
      </div>
      {isAway && (
        <button
          type="button"
          className="jp-CognitionChat-toEnd jp-mod-styled"
          onClick={scrollToEnd}
        >
          {toEnd}
        </button>
      )}
    </div>
  );
}
