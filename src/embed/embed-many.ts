/** The stream behind VideoEncoder.embedMany: videos of any kind, each opened a little ahead and closed in its turn. */
import type { NativeLoader } from '../native/bindings.js';
import type { EmbedManyResult } from './encoder-options.js';
import { type ClipEmbedder, type ClipViews, streamFeatures } from './features.js';
import type { OpenVideo } from './open-video.js';
import { checkVideo, nameOf, type VideoInput } from './video-input.js';

export interface EmbedManyStages {
  readonly loader: NativeLoader;
  /** The signal is aborted when nobody will ask for the video. */
  readonly open: (video: VideoInput, signal: AbortSignal) => Promise<OpenVideo>;
  readonly planClips: (video: OpenVideo) => ClipViews;
  readonly embedder: ClipEmbedder;
  /** Clips in a batch at most. */
  readonly batchClips: number;
  readonly signal: AbortSignal;
}

export async function* embedVideos(
  videos: Iterable<VideoInput> | AsyncIterable<VideoInput>,
  { loader, open, planClips, embedder, batchClips, signal }: EmbedManyStages,
): AsyncGenerator<EmbedManyResult, void, undefined> {
  const opened = new Map<number, OpenVideo>();
  try {
    for await (const result of streamFeatures(videos, {
      loader,
      planClips: async (video, index, stop) => {
        const ready = await open(checkVideo(video), stop);
        opened.set(index, ready);
        return planClips(ready);
      },
      embedders: [embedder],
      batchClips,
      separate: true,
      signal,
    })) {
      const { index, item } = result;
      const path = nameOf(item, index);
      const warnings = [...(opened.get(index)?.facts.warnings ?? [])];
      opened.get(index)?.close();
      opened.delete(index);
      if ('error' in result) yield { path, index, error: result.error };
      else yield { path, index, vector: result.vectors[0]!, warnings: [...warnings, ...result.warnings] };
    }
  } finally {
    for (const video of opened.values()) video.close();
  }
}
