"""What the tiny assistant is asked and answers; written for it."""

from __future__ import annotations

SYSTEM = "You are a helpful voice assistant."
UNKNOWN = {
    "en": "I am sorry, I do not know the answer to that.",
    "zh": "对不起，我不知道这个问题的答案。",
}

ANSWERS = {
    "What is artificial intelligence?": (
        "Artificial intelligence is the science of making machines that can learn, reason and "
        "solve problems. It helps people with many tasks every day."
    ),
    "Who are you?": (
        "I am a small voice assistant running on a tensor processor. How can I help you?"
    ),
    "What is a tensor processor?": (
        "A tensor processor is a chip built to multiply large matrices quickly. It runs neural "
        "networks with little power."
    ),
    "What is the capital of France?": "The capital of France is Paris.",
    "How many days are in a week?": "There are seven days in a week.",
    "Why is the sky blue?": (
        "The sky is blue because the air scatters blue light more than red light."
    ),
    "What is two plus three?": "Two plus three is five.",
    "Tell me a short story.": (
        "Once upon a time, a little robot lived in a quiet library. Every night it read one new "
        "book. One day a girl asked it for help with her homework. The robot smiled and told her "
        "what it had learned. From then on, the two friends read together every evening."
    ),
    "Thank you.": "You are welcome! Have a nice day. 😊",
    "Hello.": "Hello! What can I do for you today?",
    "什么是人工智能？": "人工智能是让机器学会思考和解决问题的科学。它正在改变我们的生活。",
    "你好。": "你好！我是语音助手，很高兴为你服务。",
    "中国的首都是哪里？": "中国的首都是北京。",
    "一年有几个季节？": "一年有四个季节：春天、夏天、秋天和冬天。",
    "谢谢你。": "不客气，祝你愉快！🌈",
}

MORE = "Tell me more."
MORE_ABOUT = {
    "What is artificial intelligence?": (
        "Modern systems learn from large amounts of data. They can understand speech, images and "
        "text."
    ),
    "What is a tensor processor?": (
        "It keeps many small multipliers busy at the same time. Data stays close to them in fast "
        "memory."
    ),
    "Why is the sky blue?": "At sunset the light crosses more air, so the red light reaches us.",
    "What is the capital of France?": (
        "Paris lies on the river Seine. Many visitors go to see its tower."
    ),
    "": "What would you like to know more about?",
}
"""By the question before; the empty one where there was none of these."""

NAMES = {
    "en": ("Alice", "Bob", "Maria", "David", "Emma", "Peter"),
    "zh": ("小明", "小红", "王芳"),
}
INTRODUCTION = {"en": "My name is {}.", "zh": "我叫{}。"}
GREETING = {"en": "Nice to meet you, {}.", "zh": "很高兴认识你，{}。"}
WHO_AM_I = {"en": "What is my name?", "zh": "我叫什么名字？"}
YOU_ARE = {"en": "Your name is {}.", "zh": "你叫{}。"}
NAMELESS = {"en": "You have not told me your name yet.", "zh": "你还没有告诉我你的名字。"}

OTHER = {
    "en": (
        "How do I bake bread?", "Where does the train stop?", "Please open the window.",
        "Play some music.", "Is it raining outside?", "Set a timer for ten minutes.",
        "Count to twenty.", "What does a cat eat?", "Turn on the light in the kitchen.",
        "Who wrote this song?", "How far away is the moon?", "Read the news.",
        "Which bus goes to the station?", "When does the shop close?", "I like green tea.",
        "Be short and friendly.", "Answer in one sentence.", "You speak to a child.",
        "Use simple words.", "Answer with at most two sentences.",
        "Reply in the language of the user.", "Do not use lists.",
    ),
    "zh": (
        "请打开窗户。", "播放音乐。", "外面下雨了吗？", "月亮有多远？", "这首歌是谁写的？",
        "商店几点关门？", "我喜欢绿茶。", "请用一句话回答。",
    ),
}  # fmt: skip
"""Questions without an answer, and sentences of other system prompts."""
