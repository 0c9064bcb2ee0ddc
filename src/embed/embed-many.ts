/** What is behind VideoEncoder.embed and embedMany: videos of any kind, opened, a little ahead where there are many, and closed. */
import { VsslError } from '../errors.js';
import type { EmbedManyResult, EmbedResult } from './encoder-options.js';
import { type ClipEmbedder, type ClipViews, streamFeatures } from './features.js';
import { type OpenVideo, type OpenVideoOptions, openVideo } from './open-video.js';
import { checkVideo, nameOf, type VideoInput } from './video-input.js';

export interface EmbedStages extends OpenVideoOptions {
  readonly planClips: (video: OpenVideo) => ClipViews;
  readonly embedder: ClipEmbedder;
  /** Clips in a batch at most. */
  readonly batchClips: number;
}

/** The vector of one video. Bytes and frames are taken before the call gives up its turn. */
export async function embedVideo(video: VideoInput, stages: EmbedStages): Promise<EmbedResult> {
  const { loader, planClips, embedder, batchClips, signal } = stages;
  const opened = await openVideo(checkVideo(video), stages);
  try {
    for await (const result of streamFeatures([opened], {
      ...{ loader, embedders: [embedder], batchClips, separate: true, signal },
      planClips: async () => planClips(opened),
    })) {
      if ('error' in result) throw result.error;
      return { vector: result.vectors[0]!, warnings: [...opened.facts.warnings, ...result.warnings] };
    }
    throw new VsslError('ERR_VSSL_INTERNAL', 'no vector was made');
  } finally {
    opened.close();
  }
}

/** Vectors of many videos, in order. */
export async function* embedVideos(
  videos: Iterable<VideoInput> | AsyncIterable<VideoInput>,
  stages: EmbedStages,
): AsyncGenerator<EmbedManyResult, void, undefined> {
  const { loader, planClips, embedder, batchClips, signal } = stages;
  const opened = new Map<number, OpenVideo>();
  try {
    for await (const result of streamFeatures(videos, {
      ...{ loader, embedders: [embedder], batchClips, separate: true, signal },
      planClips: async (video, index, stop) => {
        // nobody asks for the video any more when `stop` is aborted
        const ready = await openVideo(checkVideo(video), { ...stages, signal: stop });
        opened.set(index, ready);
        return planClips(ready);
      },
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
