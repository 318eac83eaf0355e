"""Chinese endings and forms that the rules look at."""

from __future__ import annotations

import re

from voicemesh.writing import is_han

_MARKS = re.compile(r"[\s。！？，、；：,.!?;:…\-—“”\"']+")


def characters_of(text: str) -> str:
    """The text without marks and spaces if it ends in Chinese, else ""."""
    plain = _MARKS.sub("", text)
    return plain if plain and is_han(plain[-1]) else ""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _one_of(words: tuple[str, ...]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


FINAL_PARTICLES = _words("吗 呢 吧 啊 呀 啦 嘛 哦 哇 喽 咯 么")
COMPLETE_ANSWERS = frozenset(
    _words(
        """
        是 是的 不是 好 好的 好吧 对 对的 不对 不 不要 要 可以 不可以 行 不行 没有 有 没 嗨 早
        谢谢 谢谢你 感谢你 多谢 你好 您好 再见 拜拜 停 停下 停止 早上好 早安 晚安 晚上好 下午好
        没关系 不用 不用了 不客气 对不起 抱歉 不好意思 重新开始 继续 取消 算了 知道了 明白 明白了
        好极了 当然 没问题 不知道 我不知道 怎么了 等等 等一下 安静 闭嘴 救命 帮助 我也是 真的
        真的吗
        """
    )
)
QUESTION_FORMS = _words(
    """
    什么 谁 哪里 哪儿 哪个 哪些 哪 多少 几 怎么 怎样 如何 为什么 为何 是不是 有没有 能不能
    可不可以 要不要 会不会 好不好 对不对 行不行 是否 何时
    """
)
# The question of which they are the beginning may be to come.
BARE_QUESTIONS = frozenset(
    _words("谁 什么 哪里 哪儿 哪个 为什么 为何 怎么 怎样 如何 多少 几 什么时候 何时 多久")
)
IMPERATIVES = _words(
    """
    请 帮我 给我 打开 关闭 关掉 关上 播放 告诉我 讲 唱 说 停 去 来 设置 设 提醒 介绍 解释 翻译
    跟我 过来 过去 前进 后退 左转 右转 向 查 找 看 读 念 放 拿 把 调 换 重复 再 别 不要 让 开始 算
    叫
    """
)
# After these something has to follow: what joins, ...
JOINING = _words(
    """
    然后 因为 所以 但是 可是 不过 而且 如果 要是 还有 或者 或 还是 以及 并且 和 跟 与 及 虽然 即使
    只要 只有 除了 关于 对于 至于 由于 不但 不仅 无论 不管 除非 比如 比如说 例如 接着 于是 首先
    """
)
# ... fillers, ...
FILLERS = _words("嗯 呃 额 唔 那个 这个 就是 就是说")
# ... prepositions, ...
PREPOSITIONS = _words("把 被 给 在 从 向 往 为 对 比 离 按 通过 根据 按照 关于")
# ... adverbs, auxiliaries, measures, ...
ADVERBS = _words(
    """
    是 很 非常 特别 太 最 更 比较 挺 十分 正在 已经 一直 经常 常常 总是 马上 立刻 可能 应该 必须
    一定 大概 其实 也 都 就 又 才 刚 刚刚 还 不太 有点 有点儿 能够 一个 一下子 第 零点 点 加 减 乘
    乘以 除以 的话
    """
)
# ... people who are asked or told, and verbs that want an object or a sentence.
VERBS = _words(
    """
    我想 我要 我想要 我想知道 想要 需要 打算 觉得 认为 以为 听说 据说 我希望 我感觉 我记得 我决定
    我发现 请 请问 帮我 给我 告诉我 能不能 可不可以 会不会 要不要 想不想 是不是有 有没有 你能
    你可以 你会 什么是 怎么 我叫 名字叫 叫 叫做 叫作 我能 他能 它能 属于 包括 来自 变成 翻译成
    当成 做成 换成 改成 写成 等于 打电话给 给我讲 给我唱 讲讲关于
    我找 在找 帮我找 帮我查 帮我买 正在找 改到 放到 送到 调到 设到 设置到 推迟到 提前到 走到 回到
    来到 去到 搬到 带到 移到 放进 写上
    """
)
UNFINISHED_ENDINGS = (*JOINING, *FILLERS, *PREPOSITIONS, *ADVERBS, *VERBS)
# Whole texts and endings that look unfinished by their last characters only.
COMPLETE_ENDINGS = _words(
    """
    几点 一点 早点 快点 慢点 大点 小点 地点 差点 晚点 多点 少点 两点 三点 四点 五点 六点 七点 八点
    九点 十点 十一点 十二点 景点 优点 缺点 重点 热点 不对 对不对 好不好 认为 因为什么 行为 不在
    在不在 现在 存在 为什么 不是 是不是 但是什么 可不是 相比 对比 暂停给我 还给我 拿给我
    交给我 发给我 送给我 成都 首都 成就 距离 分离 天才 刚才 人才 太太 我在 还在 参加 增加 更加
    暖和 温和 参与 普及 来得及 来不及 埃及 方向 以往 往往 来往 服从 跟从
    """
)
DIGITS = frozenset("零〇一二三四五六七八九幺两0123456789")
# Room 12 is rare, room 2086 is whole.
CODES = re.compile("密码|房间号|车牌|验证码|卡号")
MEASURES = "个只张件本条位把辆双台杯瓶块片首部座支枝朵颗粒间家份套句段瓶碗盒袋"
# Verbs of every day: a sentence without any is only what it is about. Words in which
# their characters mean something else are not looked at.
_NO_VERBS = _words(
    """
    会议 开关 说明书 电视 电话 作业 听力 生日 窗户 音量 生活 学生 学校 医生 先生 动物 活动 飞机
    出口 进口 行李 银行 走廊 跑步机 洗衣机 游戏 旅行社 看法 想法 做法 说法 用户 教室 读者 作者
    歌手 司机 开水 开心 来年 去年 过年 后来 本来 将来 未来 从来 过程 卖家 写作 有名 有趣 在家 下午
    上午 早上 晚上 世界上 关于 对于 到底 发音 天气预报 放学 车站 火车站 地铁站 加油站 网站 住址
    关系 机会 社会 晚会 会员 打印机 问题 答案 食用 出租车 用品 学期 大学 小学 中学 同学 科学 数学
    文学 化学 教育 教授 要求 要点 主要 唱片 听众 放假 能力 能量 智能 功能 可能 生命 讲座 玩具 带子
    等级 坐标 设备 洗手间 爱好 爱情 大家 大小 小时 小心 高铁 高速 高度 长度 长城 快递 热水 冷水
    好处 坏处 少年 早饭 晚饭 早餐 晚餐 红色 绿色 红灯 绿灯 过去 飞船 来源 想象 看台 说明 开始 出现
    进步 建筑 建议 改革 打算 回忆
    """
)
_VERB = _words(
    """
    是 有 在 去 来 做 说 看 听 吃 喝 买 卖 走 跑 飞 开 关 放 拿 给 找 想 要 会 能 喜欢 知道 觉得
    认识 写 读 学 教 用 打 叫 讲 唱 玩 送 带 等 问 答 住 坐 站 睡 起床 回 到 过 出 进 下雨 下雪
    工作 休息 离 比 像 需要 可以 应该 忘 记 帮 让 请 调 换 设 播 煮 洗 穿 骑 爱 怕 改 建 发明 发现
    属于 等于 变 死 生 长大 打扫 收拾 停 躺 拉 推 抬 举 搬 擦 选 试 猜 画 跳 陪 接 收 发 订 约 赢
    输 赚 花 修 交 付 存 取 倒 乘 开始 打算 一共 总共 称 叫做 成为 没有 看到 听到 告诉 介绍 准备
    希望 提醒
    """
)
# They need no object, so a sentence may end with them.
INTRANSITIVE_ENDINGS = _words(
    """
    来 去 走 睡 休息 工作 起床 说话 唱歌 跳舞 游泳 开会 上班 下班 出发 回家 吃饭 睡觉 在家 不在
    起飞 见面 旅游 旅行 散步 做饭 洗澡 上学 放学 出去 进来 回来 过来 过去 起来 下来 上来 出来
    """
)
TIMES = _words(
    """
    今天 明天 昨天 后天 前天 现在 刚才 早上 上午 中午 下午 晚上 今晚 周末 下周 上周 这周 下个月
    上个月 这个月 明年 今年 去年 每天 以后 以前 将来 平时 有时候
    """
)
_ADJECTIVE = _words(
    """
    大 小 高 低 远 近 长 短 快 慢 热 冷 暖 凉 贵 便宜 好 坏 多 少 早 晚 忙 累 饿 渴 困 新 旧 漂亮
    好看 好听 好吃 难 容易 重 轻 重要 有趣 有意思 干净 脏 安静 吵 亮 暗 红 绿 甜 辣 酸 咸 苦 疼 痛
    开心 高兴 难过
    """
)
_MASKED = re.compile(_one_of(_NO_VERBS))
# What is praised or blamed: "你真棒".
DESCRIBED = re.compile(r"(很|真|太|挺|最|非常|特别)[^的]{1,3}$")
_PREDICATE = re.compile(_one_of((*_VERB, *_ADJECTIVE)))
_VERB_OR_NOT = re.compile(_one_of(_VERB))
_ADJECTIVES = re.compile(_one_of(_ADJECTIVE))


def last_verb(plain: str) -> int:
    """Where the last verb ends; -1: there is none that is known."""
    return _last(_VERB_OR_NOT, plain)


def has_predicate(plain: str) -> bool:
    """Whether a verb or an adjective is known in it."""
    return _last(_PREDICATE, plain) >= 0


def has_adjective(plain: str) -> bool:
    """Whether an adjective is known in it."""
    return _last(_ADJECTIVES, plain) >= 0


def _last(pattern: re.Pattern[str], plain: str) -> int:
    visible = _MASKED.sub(lambda found: "〓" * len(found.group()), plain)
    return max((found.end() for found in pattern.finditer(visible)), default=-1)
